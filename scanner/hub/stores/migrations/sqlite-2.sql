-- Version 2: cohorts.
ALTER TABLE reports ADD COLUMN cohort TEXT NOT NULL DEFAULT '';  -- whose token it carried; empty: none
CREATE TABLE spent (                        -- cohort tokens, by what was signed
    digest BLOB PRIMARY KEY,
    month TEXT NOT NULL
) STRICT, WITHOUT ROWID;
