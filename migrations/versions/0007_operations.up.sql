-- Operations: work that is too long for one transaction. It goes on in chunks, one transaction
-- each, which any process of the service may run; so all that is known of it stands here.
-- Both tables are distributed by operation_id and colocated.

CREATE TABLE iu_core.iu_operation (
    operation_id      uuid        PRIMARY KEY,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    runner_until      timestamptz,
    runner_id         uuid,
    request_id        uuid,
    change_request_id uuid,
    revision          bigint      NOT NULL DEFAULT 1,
    total             integer     NOT NULL,
    next_ordinal      integer     NOT NULL DEFAULT 1,
    composed          integer     NOT NULL DEFAULT 0 CHECK (composed >= 0),
    replayed          integer     NOT NULL DEFAULT 0 CHECK (replayed >= 0),
    dry_runs          integer     NOT NULL DEFAULT 0 CHECK (dry_runs >= 0),
    refused           integer     NOT NULL DEFAULT 0 CHECK (refused >= 0),
    failed            integer     NOT NULL DEFAULT 0 CHECK (failed >= 0),
    deleted           integer     NOT NULL DEFAULT 0 CHECK (deleted >= 0),
    gone              integer     NOT NULL DEFAULT 0 CHECK (gone >= 0),
    blocked           integer     NOT NULL DEFAULT 0 CHECK (blocked >= 0),
    not_attempted     integer     NOT NULL CHECK (not_attempted >= 0),
    kind              text        NOT NULL CHECK (kind IN ('instantiate', 'rollback')),
    -- running -> halted: met a closed gate; running, halted -> cancelled; running -> completed:
    -- nothing is left. halted -> running: resumed; halted, completed -> running: what was refused
    -- or failed is tried again.
    state             text        NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'halted', 'cancelled', 'completed')),
    principal         text        NOT NULL,
    actor             text        NOT NULL,
    allowed_actors    text,
    idempotency_key   text,
    request_digest    text        NOT NULL,
    reason            text        NOT NULL,
    halted_code       text,
    halted_details    jsonb,
    changed_by        text,
    change_reason     text,
    parameters        jsonb       NOT NULL DEFAULT '{}'::jsonb,
    CHECK (composed + replayed + dry_runs + refused + failed + deleted + gone + blocked
           + not_attempted = total),
    CHECK ((state = 'halted') = (halted_code IS NOT NULL)),
    CHECK ((state IN ('cancelled', 'completed')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'completed' OR not_attempted = 0)
);
COMMENT ON COLUMN iu_core.iu_operation.runner_id IS
    'whose chunks count; after runner_until another runner may claim it';
COMMENT ON COLUMN iu_core.iu_operation.next_ordinal IS
    'no item before it waits to be attempted: a chunk need not pass over those that are done';
COMMENT ON COLUMN iu_core.iu_operation.allowed_actors IS
    'whom the one who asked might act as or read: fn_iu_actor_matches; NULL is everyone';
COMMENT ON COLUMN iu_core.iu_operation.change_request_id IS
    'of the request that cancelled, resumed or retried it last: its own retry is answered ok';
CREATE INDEX iu_operation_by_time ON iu_core.iu_operation (created_at, operation_id);
CREATE INDEX iu_operation_running ON iu_core.iu_operation (created_at, operation_id)
    WHERE state = 'running';

-- Frozen when the operation is made, in the same transaction; so there is no foreign key, whose checks
-- would double the time of freezing a million. No index finds those that wait: the operation's next_ordinal
-- and the primary key do, which no dead entry slows down however many chunks came before.
CREATE TABLE iu_core.iu_operation_item (
    operation_id           uuid        NOT NULL,
    instance_collection_id uuid,
    attempted_at           timestamptz,
    ordinal                integer     NOT NULL,
    outcome                text        CHECK (outcome IN
        ('composed', 'replayed', 'dry_run', 'refused', 'failed', 'deleted', 'gone', 'blocked')),
    code                   text,
    details                jsonb,
    request                json,
    PRIMARY KEY (operation_id, ordinal),
    CHECK ((outcome IS NULL) = (attempted_at IS NULL))
);
COMMENT ON COLUMN iu_core.iu_operation_item.outcome IS 'NULL: not attempted';
COMMENT ON COLUMN iu_core.iu_operation_item.request IS
    'of an instantiate operation: event_id, event_type, template, suffix, actor, emit_mode, reason, '
    'data (RFC 8785 text), require_current';

-- Actors as whom nothing is composed until the rollback is done. A reference table, and a small one.
CREATE TABLE iu_core.iu_actor_fence (
    actor        text        PRIMARY KEY,
    operation_id uuid        NOT NULL,
    fenced_at    timestamptz NOT NULL
);
