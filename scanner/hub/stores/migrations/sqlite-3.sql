-- Version 3: the projection that readers see, the log of actions, states of cohorts, known cameras.
-- Records are the truth; all of the map can be made again from them and from the actions.
INSERT INTO meta VALUES ('journal floor', '0');
CREATE INDEX reports_cohort ON reports (cohort, number) WHERE cohort <> '';  -- fused: 0 waiting, 1 part of the map, 2 held
CREATE TABLE cohorts (                      -- those that somebody decided on
    cohort TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('trusted', 'held', 'rolled back'))
) STRICT, WITHOUT ROWID;
ALTER TABLE blocks RENAME COLUMN row TO lat_block;
ALTER TABLE blocks RENAME COLUMN col TO lon_block;
CREATE TABLE actions (                      -- never changed, only added to
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_s INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    verb TEXT NOT NULL,
    camera_id TEXT NOT NULL,                -- its name then
    record_id TEXT NOT NULL, idx INTEGER NOT NULL,  -- the anchor: its first member
    lat_deg REAL NOT NULL, lon_deg REAL NOT NULL,   -- its place then
    body BLOB NOT NULL                      -- msgpack of what the verb needs
) STRICT;
CREATE INDEX actions_place ON actions (lat_deg, lon_deg);
-- A review whose camera is gone had no effect any more; it keeps its line, without an anchor.
INSERT INTO actions (number, at_s, reviewer, verb, camera_id, record_id, idx, lat_deg, lon_deg, body)
SELECT v.number, v.at_s, v.reviewer,
    CASE v.verdict WHEN 'confirmed' THEN 'confirm' WHEN 'rejected' THEN 'reject' ELSE 'withdraw' END,
    v.camera_id,
    coalesce((SELECT r.record_id FROM members m JOIN reports r ON r.number = m.number
        WHERE m.camera_id = v.camera_id AND c.id IS NOT NULL ORDER BY m.number, m.idx LIMIT 1), ''),
    coalesce((SELECT m.idx FROM members m
        WHERE m.camera_id = v.camera_id AND c.id IS NOT NULL ORDER BY m.number, m.idx LIMIT 1), 0),
    coalesce(c.lat_deg, 0.0), coalesce(c.lon_deg, 0.0), word(v.camera_id)
FROM reviews v LEFT JOIN cameras c ON c.id = v.camera_id ORDER BY v.number;
DROP TABLE reviews;
DROP INDEX cameras_place;
DROP INDEX cameras_cell;
ALTER TABLE cameras DROP COLUMN lat_deg;
ALTER TABLE cameras DROP COLUMN lon_deg;
DELETE FROM members WHERE camera_id NOT IN (SELECT id FROM cameras);
CREATE INDEX members_camera ON members (camera_id);
CREATE TABLE shown (                        -- the projection; made again where it is missing
    place INTEGER PRIMARY KEY,              -- code on the Morton curve * 128, and the next free one
    id TEXT NOT NULL UNIQUE,
    cell TEXT NOT NULL,
    lat_deg REAL NOT NULL, lon_deg REAL NOT NULL,
    kind INTEGER NOT NULL,
    sigma_m REAL NOT NULL,
    direction_deg REAL,
    status TEXT NOT NULL,
    confirmations TEXT NOT NULL,
    first_month TEXT NOT NULL, last_month TEXT NOT NULL,
    verdict TEXT,
    feature BLOB NOT NULL
) STRICT;
CREATE INDEX shown_tiles ON shown (place, lat_deg, lon_deg, id, kind, direction_deg, last_month, confirmations, sigma_m) WHERE status = 'confirmed';  -- all that a tile needs
CREATE INDEX shown_status ON shown (status, id);
CREATE TABLE pyramid (                      -- sums over squares, for low zooms
    code INTEGER PRIMARY KEY,               -- level and place of the square
    n INTEGER NOT NULL,
    sum_x INTEGER NOT NULL, sum_y INTEGER NOT NULL,
    k0 INTEGER NOT NULL, k1 INTEGER NOT NULL, k2 INTEGER NOT NULL, k3 INTEGER NOT NULL,
    k4 INTEGER NOT NULL
) STRICT;
CREATE TABLE tally (
    kind INTEGER NOT NULL, first_month TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (kind, first_month)
) STRICT, WITHOUT ROWID;
CREATE TABLE filled (                       -- cells with public cameras
    cell TEXT PRIMARY KEY, n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (                      -- public changes, the last ones
    revision INTEGER PRIMARY KEY,
    change TEXT NOT NULL,
    id TEXT NOT NULL,
    cell TEXT NOT NULL,
    feature BLOB NOT NULL
) STRICT;
CREATE TABLE known (                        -- cameras of other maps
    ref TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    lat_deg REAL NOT NULL, lon_deg REAL NOT NULL,
    tags BLOB NOT NULL,                     -- JSON
    direction_deg REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX known_place ON known (lat_deg, lon_deg);
CREATE INDEX known_source ON known (source);
CREATE TABLE links (
    camera_id TEXT PRIMARY KEY, ref TEXT NOT NULL
) STRICT, WITHOUT ROWID;
