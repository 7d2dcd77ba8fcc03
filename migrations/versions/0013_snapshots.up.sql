-- Snapshots: what every surface of the factory was at a moment. Reference tables on a distributed
-- database: small, and written by operators.

CREATE TABLE iu_core.iu_snapshot (
    snapshot_id     uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    taken_at        timestamptz NOT NULL,
    request_id      uuid,
    actor           text        NOT NULL,
    principal       text        NOT NULL,
    reason          text        NOT NULL,
    schema_revision text        NOT NULL
);
COMMENT ON COLUMN iu_core.iu_snapshot.taken_at IS
    'read before the surfaces were: all that was committed by then is in it';
COMMENT ON COLUMN iu_core.iu_snapshot.schema_revision IS
    'of the tables: a column more makes every row another one';
CREATE INDEX iu_snapshot_by_time ON iu_core.iu_snapshot (taken_at, snapshot_id);

CREATE TABLE iu_core.iu_snapshot_surface (
    snapshot_id uuid   NOT NULL REFERENCES iu_core.iu_snapshot (snapshot_id),
    surface     text   NOT NULL,
    row_count   bigint NOT NULL CHECK (row_count >= 0),
    digest      text   NOT NULL CHECK (digest ~ '^[0-9a-f]{32}$'),
    PRIMARY KEY (snapshot_id, surface)
);
