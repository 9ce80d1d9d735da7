-- Version 4: of a camera that left the map the journal keeps that it did, and in which cells.
CREATE INDEX journal_id ON journal (id);
DELETE FROM journal WHERE EXISTS (SELECT 1 FROM journal later WHERE later.id = journal.id
    AND later.cell = journal.cell AND later.change = 'removed' AND later.revision > journal.revision);
UPDATE journal SET change = 'removed', feature = x'' WHERE EXISTS (SELECT 1 FROM journal later
    WHERE later.id = journal.id AND later.change = 'removed' AND later.revision >= journal.revision);
-- reports.fused: 4 is held, and has not been through the pool. Which those are is not known of older ones.
UPDATE reports SET fused = 4 WHERE fused = 2
    AND EXISTS (SELECT 1 FROM meta WHERE name = 'pooling' AND value <> '');
