-- Version 1: all tables, as version 3 of SQLite's. Needs PostGIS.
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('revision', '0'), ('journal floor', '0');
CREATE TABLE reports (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- order of arrival
    record_id TEXT COLLATE "C" NOT NULL UNIQUE,
    body BYTEA NOT NULL,                    -- msgpack of wire.Record
    fused INTEGER NOT NULL DEFAULT 0,       -- 0 waiting, 1 part of the map, 2 held
    cohort TEXT COLLATE "C" NOT NULL DEFAULT ''  -- whose token it carried; empty: none
);
CREATE INDEX reports_waiting ON reports (number) WHERE fused = 0;
CREATE INDEX reports_cohort ON reports (cohort, number) WHERE cohort <> '';
CREATE TABLE cohorts (                      -- those that somebody decided on
    cohort TEXT COLLATE "C" PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('trusted', 'held', 'rolled back'))
);
CREATE TABLE blocks (                       -- where each record has cameras
    lat_block INTEGER NOT NULL, lon_block INTEGER NOT NULL, number BIGINT NOT NULL,
    PRIMARY KEY (lat_block, lon_block, number)
);
CREATE TABLE quarantine (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payload_id TEXT COLLATE "C" NOT NULL UNIQUE,
    reason TEXT COLLATE "C" NOT NULL,
    payload BYTEA NOT NULL
);
CREATE TABLE spent (                        -- cohort tokens, by what was signed
    digest BYTEA PRIMARY KEY,
    month TEXT NOT NULL
);
CREATE TABLE actions (                      -- never changed, only added to
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_s BIGINT NOT NULL,
    reviewer TEXT NOT NULL,
    verb TEXT NOT NULL,
    camera_id TEXT NOT NULL,                -- its name then
    record_id TEXT NOT NULL, idx INTEGER NOT NULL,  -- the anchor: its first member
    lat_deg DOUBLE PRECISION NOT NULL, lon_deg DOUBLE PRECISION NOT NULL,  -- its place then
    body BYTEA NOT NULL                     -- msgpack of what the verb needs
);
CREATE INDEX actions_place ON actions (lat_deg, lon_deg);
CREATE TABLE cameras (
    id TEXT COLLATE "C" PRIMARY KEY,
    cell TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL                     -- msgpack of fusion.Camera
);
CREATE TABLE members (                      -- which camera each camera of a record became
    number BIGINT NOT NULL, idx INTEGER NOT NULL, camera_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (number, idx)
);
CREATE INDEX members_camera ON members (camera_id);
CREATE TABLE shown (                        -- the projection; made again where it is missing
    id TEXT COLLATE "C" PRIMARY KEY,
    cell TEXT COLLATE "C" NOT NULL,
    lat_deg DOUBLE PRECISION NOT NULL, lon_deg DOUBLE PRECISION NOT NULL,
    kind INTEGER NOT NULL,
    sigma_m DOUBLE PRECISION NOT NULL,
    direction_deg DOUBLE PRECISION,
    status TEXT COLLATE "C" NOT NULL,
    confirmations TEXT NOT NULL,
    first_month TEXT COLLATE "C" NOT NULL, last_month TEXT COLLATE "C" NOT NULL,
    verdict TEXT,
    feature BYTEA NOT NULL,
    geom geometry(Point, 3857) NOT NULL
);
CREATE INDEX shown_place ON shown USING gist (geom);
CREATE INDEX shown_status ON shown (status, id);
CREATE TABLE pyramid (                      -- sums over squares, for low zooms
    code BIGINT PRIMARY KEY,                -- level and place of the square
    n BIGINT NOT NULL,
    sum_x BIGINT NOT NULL, sum_y BIGINT NOT NULL,
    k0 BIGINT NOT NULL, k1 BIGINT NOT NULL, k2 BIGINT NOT NULL, k3 BIGINT NOT NULL,
    k4 BIGINT NOT NULL
);
CREATE TABLE tally (
    kind INTEGER NOT NULL, first_month TEXT COLLATE "C" NOT NULL, n BIGINT NOT NULL,
    PRIMARY KEY (kind, first_month)
);
CREATE TABLE filled (                       -- cells with public cameras
    cell TEXT COLLATE "C" PRIMARY KEY, n BIGINT NOT NULL
);
CREATE TABLE journal (                      -- public changes, the last ones
    revision BIGINT PRIMARY KEY,
    change TEXT NOT NULL,
    id TEXT NOT NULL,
    cell TEXT NOT NULL,
    feature BYTEA NOT NULL
);
CREATE TABLE known (                        -- cameras of other maps
    ref TEXT COLLATE "C" PRIMARY KEY,
    source TEXT NOT NULL,
    lat_deg DOUBLE PRECISION NOT NULL, lon_deg DOUBLE PRECISION NOT NULL,
    tags BYTEA NOT NULL,                    -- JSON
    direction_deg DOUBLE PRECISION
);
CREATE INDEX known_place ON known (lat_deg, lon_deg);
CREATE INDEX known_source ON known (source);
CREATE TABLE links (
    camera_id TEXT COLLATE "C" PRIMARY KEY, ref TEXT NOT NULL
);
CREATE TABLE cells (                        -- retained at the broker
    cell TEXT COLLATE "C" PRIMARY KEY
);
