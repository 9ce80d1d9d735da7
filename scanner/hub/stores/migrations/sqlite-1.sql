-- Version 1.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE reports (
    number INTEGER PRIMARY KEY,             -- order of arrival
    record_id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,                     -- msgpack of wire.Record
    fused INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX reports_waiting ON reports (number) WHERE fused = 0;
CREATE TABLE blocks (                       -- where each record has cameras
    row INTEGER NOT NULL, col INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (row, col, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY,
    payload_id TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE cameras (
    id TEXT PRIMARY KEY,
    cell TEXT NOT NULL,
    lat_deg REAL NOT NULL, lon_deg REAL NOT NULL,
    body BLOB NOT NULL                      -- msgpack of fusion.Camera
) STRICT, WITHOUT ROWID;
CREATE INDEX cameras_place ON cameras (lat_deg, lon_deg);
CREATE INDEX cameras_cell ON cameras (cell);
CREATE TABLE members (                      -- which camera each camera of a record became
    number INTEGER NOT NULL, idx INTEGER NOT NULL, camera_id TEXT NOT NULL,
    PRIMARY KEY (number, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE reviews (                      -- never changed, only added to
    number INTEGER PRIMARY KEY,
    camera_id TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('confirmed', 'rejected', 'withdrawn')),
    reviewer TEXT NOT NULL,
    at_s INTEGER NOT NULL
) STRICT;
CREATE INDEX reviews_camera ON reviews (camera_id, number);
CREATE TABLE cells (cell TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;  -- retained at the broker
