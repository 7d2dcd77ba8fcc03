-- Instances. Every table here is distributed by the instance's id and colocated; every key
-- contains it, and there are no triggers of our own.

CREATE TABLE iu_core.iu_collection_template_instance_lineage (
    instance_collection_id uuid        PRIMARY KEY
        REFERENCES iu_core.iu_piece_collection (collection_id),
    template_collection_id uuid        NOT NULL
        REFERENCES iu_core.iu_collection_template_registry (template_collection_id),
    composed_at            timestamptz NOT NULL,
    composition_digest     text        NOT NULL
);
COMMENT ON COLUMN iu_core.iu_collection_template_instance_lineage.composition_digest IS
    'the template''s digest at the moment of composing';
CREATE INDEX iu_lineage_by_template ON iu_core.iu_collection_template_instance_lineage
    (template_collection_id, composed_at, instance_collection_id);
CREATE INDEX iu_lineage_by_time ON iu_core.iu_collection_template_instance_lineage
    (composed_at, instance_collection_id);

CREATE TABLE iu_core.iu_auto_instantiate_event_log (
    instance_collection_id uuid        PRIMARY KEY
        REFERENCES iu_core.iu_collection_template_instance_lineage (instance_collection_id)
        ON DELETE CASCADE,
    event_id               uuid        NOT NULL,
    reference_id           uuid        NOT NULL,
    template_collection_id uuid        NOT NULL,
    operation_id           uuid,
    request_id             uuid,
    composed_at            timestamptz NOT NULL,
    event_type             text        NOT NULL,
    suffix                 text        NOT NULL,
    actor                  text        NOT NULL,
    emit_mode              text        NOT NULL CHECK (emit_mode IN ('dry_run', 'live')),
    reason                 text        NOT NULL,
    data_digest            text        NOT NULL,
    data                   json        NOT NULL,
    warnings               text[],
    -- Unique because the primary key is: it is the same 128 bits.
    idempotency_key        text        NOT NULL
        GENERATED ALWAYS AS (replace(instance_collection_id::text, '-', '')) STORED
);
COMMENT ON COLUMN iu_core.iu_auto_instantiate_event_log.reference_id IS
    'the id of what was asked for: the template''s collection, or the family';
COMMENT ON COLUMN iu_core.iu_auto_instantiate_event_log.request_id IS
    'of the service''s request that composed it: its own retry is answered ok, not replay';
COMMENT ON COLUMN iu_core.iu_auto_instantiate_event_log.data IS
    'RFC 8785 text, byte for byte: data_digest can be recomputed from it';
CREATE INDEX iu_event_log_by_actor ON iu_core.iu_auto_instantiate_event_log
    (actor, composed_at, instance_collection_id);
CREATE INDEX iu_event_log_by_event ON iu_core.iu_auto_instantiate_event_log (event_id);
CREATE INDEX iu_event_log_by_operation ON iu_core.iu_auto_instantiate_event_log (operation_id)
    WHERE operation_id IS NOT NULL;

-- What a rollback leaves: the key stays taken until it is released. Never deleted.
CREATE TABLE iu_core.iu_instance_tombstone (
    instance_collection_id uuid        NOT NULL,
    rollback_operation_id  uuid        NOT NULL,
    event_id               uuid        NOT NULL,
    reference_id           uuid        NOT NULL,
    template_collection_id uuid        NOT NULL,
    operation_id           uuid,
    composed_at            timestamptz NOT NULL,
    rolled_back_at         timestamptz NOT NULL,
    released_at            timestamptz,
    event_type             text        NOT NULL,
    suffix                 text        NOT NULL,
    actor                  text        NOT NULL,
    data_digest            text        NOT NULL,
    composition_digest     text        NOT NULL,
    rolled_back_by         text        NOT NULL,
    reason                 text        NOT NULL,
    released_by            text,
    release_reason         text,
    PRIMARY KEY (instance_collection_id, rollback_operation_id)
);
CREATE INDEX iu_instance_tombstone_by_actor ON iu_core.iu_instance_tombstone
    (actor, rolled_back_at, instance_collection_id);
CREATE INDEX iu_instance_tombstone_by_event ON iu_core.iu_instance_tombstone (event_id);
CREATE INDEX iu_instance_tombstone_by_operation ON iu_core.iu_instance_tombstone (operation_id)
    WHERE operation_id IS NOT NULL;
CREATE INDEX iu_instance_tombstone_by_template ON iu_core.iu_instance_tombstone
    (template_collection_id, composed_at);
CREATE INDEX iu_instance_tombstone_by_time ON iu_core.iu_instance_tombstone (composed_at);
CREATE INDEX iu_instance_tombstone_by_rollback ON iu_core.iu_instance_tombstone
    (rollback_operation_id);

-- Written in the composing transaction, last and in sorted order. A template's writers are
-- spread over slots so that they do not queue behind each other; a slot may be negative, only
-- the sum means something. Distributed by counter_id = md5(template || ':' || slot).
CREATE TABLE iu_core.iu_template_counter (
    counter_id             uuid     NOT NULL,
    template_collection_id uuid     NOT NULL,
    emit_mode              text     NOT NULL CHECK (emit_mode IN ('live', 'dry_run', 'none')),
    slot                   smallint NOT NULL,
    instance_count         bigint   NOT NULL,
    diverging_count        bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (counter_id, emit_mode)
);
COMMENT ON COLUMN iu_core.iu_template_counter.emit_mode IS
    'live: composed by an event; dry_run: asked for as a dry run; none: an instance of no event';

-- What the composing functions hand to each other: one per requested item, in ordinal order.
-- status NULL means undecided. The bulky inputs (data, reason) travel beside it.
CREATE TYPE iu_core.iu_compose_item AS (
    ordinal            integer,
    status             text,
    claimed            boolean,
    event_id           uuid,
    reference_id       uuid,
    instance_id        uuid,
    template_id        uuid,
    request_id         uuid,
    template_ref       text,
    event_type         text,
    suffix             text,
    actor              text,
    emit_mode          text,
    data_digest        text,
    composition_digest text,
    require_current    boolean,
    allowed_actors     text,
    principal          text,
    lease_ids          uuid[],
    warnings           text[],
    details            jsonb
);

-- Which event-composed instances a rollback means: all that every member names; NULL names all.
CREATE TYPE iu_core.iu_rollback_selection AS (
    actor         text,
    operation_id  uuid,
    event_id      uuid,
    template      text,
    template_ids  uuid[],
    composed_from timestamptz,
    composed_to   timestamptz
);
COMMENT ON COLUMN iu_core.iu_rollback_selection.template_ids IS
    'what template stands for; a family stands for all its versions';
COMMENT ON COLUMN iu_core.iu_rollback_selection.composed_to IS 'the first moment that is too late';
