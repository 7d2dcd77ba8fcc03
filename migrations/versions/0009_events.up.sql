-- Events that come in: what types there are, which routes they take, and what came of each.

ALTER TABLE iu_core.event_type_registry
    ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    ADD COLUMN data_schema json,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN updated_by text NOT NULL DEFAULT 'iu-core-migration',
    ADD COLUMN reason text NOT NULL DEFAULT '';
COMMENT ON COLUMN iu_core.event_type_registry.version IS
    'counts the changes of what the type''s data must look like, from 1';
COMMENT ON COLUMN iu_core.event_type_registry.data_schema IS
    'JSON Schema of the data, RFC 8785 text; NULL: anything';

-- One row: which edition of types, routes and settings is in force. The service judges events by
-- rules that it has read before; what it decided by older ones is not taken.
CREATE TABLE iu_core.iu_event_rules (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint  NOT NULL DEFAULT 1
);
INSERT INTO iu_core.iu_event_rules DEFAULT VALUES;

CREATE TABLE iu_core.iu_sql_event_route (
    route_id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    route_key          text        NOT NULL CHECK (route_key ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    revision           bigint      NOT NULL DEFAULT 1,
    enabled            boolean     NOT NULL,
    event_type_pattern text        NOT NULL,
    filter             text,
    template           text        NOT NULL,
    suffix             text,
    mapping            json,
    emit_mode          text        NOT NULL CHECK (emit_mode IN ('dry_run', 'live')),
    actor              text        NOT NULL CHECK (actor ~ '^[a-z0-9][a-z0-9._:-]{0,127}$'),
    allowed_actors     text,
    principal          text        NOT NULL,
    description        text        NOT NULL DEFAULT '',
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    updated_by         text        NOT NULL,
    reason             text        NOT NULL,
    removed_at         timestamptz
);
COMMENT ON COLUMN iu_core.iu_sql_event_route.event_type_pattern IS
    'a type, or the beginning of types and an asterisk';
COMMENT ON COLUMN iu_core.iu_sql_event_route.filter IS 'CEL; NULL: every event of these types';
COMMENT ON COLUMN iu_core.iu_sql_event_route.suffix IS 'CEL, a text; NULL: the empty text';
COMMENT ON COLUMN iu_core.iu_sql_event_route.mapping IS
    'parameter to CEL; NULL: the event''s data are the parameters';
COMMENT ON COLUMN iu_core.iu_sql_event_route.principal IS
    'who made or last changed it, and is accountable for what it composes';
COMMENT ON COLUMN iu_core.iu_sql_event_route.allowed_actors IS
    'whom its maker may act as or read: fn_iu_actor_matches; NULL is everyone';
COMMENT ON COLUMN iu_core.iu_sql_event_route.removed_at IS
    'since then it is no route any more; what came of it still names it';
CREATE UNIQUE INDEX iu_sql_event_route_by_key ON iu_core.iu_sql_event_route (route_key)
    WHERE removed_at IS NULL;

-- Systems that speak no CloudEvents and send no bearer token.
CREATE TABLE iu_core.iu_event_source (
    source_name     text        PRIMARY KEY CHECK (source_name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    revision        bigint      NOT NULL DEFAULT 1,
    enabled         boolean     NOT NULL,
    signature       text        NOT NULL
        CHECK (signature IN ('github', 'standard_webhooks', 'header')),
    signature_header text,
    secrets         text[]      NOT NULL CHECK (cardinality(secrets) BETWEEN 1 AND 2),
    source          text        NOT NULL,
    id_from         json,
    type_from       json,
    actor           text        NOT NULL CHECK (actor ~ '^[a-z0-9][a-z0-9._:-]{0,127}$'),
    principal       text        NOT NULL,
    description     text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    updated_by      text        NOT NULL,
    reason          text        NOT NULL
);
COMMENT ON COLUMN iu_core.iu_event_source.secrets IS
    'what signatures are made with, the newer first; of a shared header the SHA-256 alone';

-- Distributed by event_id, which is UUIDv5 of source and id: so the primary key keeps each once.
CREATE TABLE iu_core.iu_event (
    event_id       uuid        PRIMARY KEY,
    request_id     uuid,
    received_at    timestamptz NOT NULL,
    rules_revision bigint      NOT NULL,
    depth          integer     NOT NULL CHECK (depth BETWEEN 0 AND 8),
    source         text        NOT NULL,
    cloudevent_id  text        NOT NULL,
    event_type     text        NOT NULL,
    is_inert       boolean     NOT NULL,
    channel        text        NOT NULL,
    actor          text        NOT NULL,
    principal      text        NOT NULL,
    content_digest text        NOT NULL,
    content        json        NOT NULL,
    travelled      json        NOT NULL,
    not_matched    json
);
COMMENT ON COLUMN iu_core.iu_event.depth IS
    'how many products of factories led to it: those of its own lead to events one deeper';
COMMENT ON COLUMN iu_core.iu_event.is_inert IS
    'its type was unknown when it came: it was stored, and started nothing';
COMMENT ON COLUMN iu_core.iu_event.content IS
    'what makes it the same event, RFC 8785 text, byte for byte: content_digest is its SHA-256';
COMMENT ON COLUMN iu_core.iu_event.travelled IS 'the attributes that tell how it travelled';
COMMENT ON COLUMN iu_core.iu_event.not_matched IS
    'routes of its type that it did not take: [{"why", "detail", "routes": [route_key]}]; NULL: none';
CREATE INDEX iu_event_by_time ON iu_core.iu_event (received_at, event_id);
CREATE INDEX iu_event_by_type ON iu_core.iu_event (event_type, received_at, event_id);

-- What came of each route that an event took. Distributed by event_id, colocated with the event.
CREATE TABLE iu_core.iu_event_result (
    event_id               uuid        NOT NULL,
    route_id               uuid        NOT NULL,
    instance_collection_id uuid,
    fired_at               timestamptz NOT NULL,
    firings                integer     NOT NULL DEFAULT 1,
    -- pending -> any: its data are not judged yet. refused -> any: fired again.
    outcome                text        NOT NULL
        CHECK (outcome IN ('composed', 'replayed', 'dry_run', 'refused', 'pending')),
    code                   text,
    template               text        NOT NULL,
    suffix                 text        NOT NULL,
    details                jsonb,
    PRIMARY KEY (event_id, route_id),
    CHECK (outcome <> 'refused' OR code IS NOT NULL)
);
CREATE INDEX iu_event_result_unfinished ON iu_core.iu_event_result (fired_at, event_id, route_id)
    WHERE outcome IN ('refused', 'pending');

-- What the functions of the intake hand to each other: one per event, in ordinal order. status NULL
-- means undecided. The bulky inputs travel beside it.
CREATE TYPE iu_core.iu_event_item AS (
    ordinal        integer,
    status         text,
    claimed        boolean,
    event_id       uuid,
    request_id     uuid,
    actor          text,
    allowed_actors text,
    principal      text,
    content_digest text,
    details        jsonb
);

-- One route that an event takes, with all that the orchestrator asks for.
CREATE TYPE iu_core.iu_event_firing AS (
    event_id       uuid,
    event_type     text,
    route_id       uuid,
    request_id     uuid,
    reason         text,
    template       text,
    suffix         text,
    actor          text,
    emit_mode      text,
    data           text,
    schema_digest  text,
    data_errors    text,
    allowed_actors text,
    principal      text
);
