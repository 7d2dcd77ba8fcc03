-- Units of content, and the immutable ordered lists that are made of them.
-- Reference tables on a distributed database: small, read everywhere, written by authors.

CREATE TABLE iu_core.information_unit (
    unit_id            uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    content_digest     text        NOT NULL UNIQUE CHECK (content_digest ~ '^[0-9a-f]{64}$'),
    media_type         text        NOT NULL,
    title              text        NOT NULL CHECK (title !~ '[\n\r]'),
    body               text        NOT NULL,
    life               text        NOT NULL CHECK (life IN ('draft', 'active', 'superseded', 'retired')),
    supersedes_unit_id uuid        REFERENCES iu_core.information_unit (unit_id),
    created_by         text        NOT NULL,
    created_at         timestamptz NOT NULL
);
CREATE INDEX information_unit_by_time ON iu_core.information_unit (created_at, unit_id);
-- Unique behind the row lock that a revision holds: a unit has one successor.
CREATE UNIQUE INDEX information_unit_by_predecessor ON iu_core.information_unit (supersedes_unit_id)
    WHERE supersedes_unit_id IS NOT NULL;

-- A facet of a unit's envelope. Set when the unit is made and, like its content, never changed.
CREATE TABLE iu_core.iu_unit_axis (
    unit_id uuid NOT NULL REFERENCES iu_core.information_unit (unit_id),
    axis    text NOT NULL CHECK (axis ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    value   text NOT NULL DEFAULT '',
    PRIMARY KEY (unit_id, axis)
);

-- Every step of a unit's life after its birth.
CREATE TABLE iu_core.iu_lifecycle_log (
    lifecycle_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id      uuid        NOT NULL REFERENCES iu_core.information_unit (unit_id),
    from_life    text        NOT NULL,
    to_life      text        NOT NULL,
    actor        text        NOT NULL,
    reason       text        NOT NULL DEFAULT '',
    request_id   uuid,
    occurred_at  timestamptz NOT NULL
);
CREATE INDEX iu_lifecycle_log_by_unit ON iu_core.iu_lifecycle_log (unit_id, lifecycle_id);

-- Which unit's content is known to the vector index.
CREATE TABLE iu_core.iu_vector_sync_point (
    unit_id           uuid        PRIMARY KEY REFERENCES iu_core.information_unit (unit_id),
    vector_collection text        NOT NULL DEFAULT 'iu_core_iu_chunks',
    content_digest    text        NOT NULL,
    synced_at         timestamptz NOT NULL
);

CREATE TABLE iu_core.iu_composition (
    composition_digest text        PRIMARY KEY CHECK (composition_digest ~ '^[0-9a-f]{64}$'),
    piece_count        integer     NOT NULL CHECK (piece_count > 0),
    created_at         timestamptz NOT NULL
);

CREATE TABLE iu_core.iu_composition_piece (
    composition_digest text    NOT NULL REFERENCES iu_core.iu_composition (composition_digest),
    position           integer NOT NULL CHECK (position > 0),
    role               text    NOT NULL CHECK (role ~ '^[a-z][a-z0-9_-]{0,62}$'),
    unit_id            uuid    NOT NULL REFERENCES iu_core.information_unit (unit_id),
    PRIMARY KEY (composition_digest, position)
);
CREATE INDEX iu_composition_piece_by_unit ON iu_core.iu_composition_piece (unit_id);

-- The roll-up of the units' axes, computed when the composition is first stored: it is fresh
-- whenever an instance is composed, and composing does not touch it.
CREATE TABLE iu_core.iu_composition_axis (
    composition_digest text    NOT NULL REFERENCES iu_core.iu_composition (composition_digest),
    axis               text    NOT NULL,
    unit_count         integer NOT NULL CHECK (unit_count > 0),
    axis_values        text[]  NOT NULL,
    PRIMARY KEY (composition_digest, axis)
);
