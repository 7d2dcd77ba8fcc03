-- Delivery: routes that lead outside, what each is to be sent, and every attempt.

-- Messages of one subject have an order, whatever their transactions' clocks said.
ALTER TABLE iu_core.event_outbox
    ADD COLUMN sequence integer NOT NULL DEFAULT 1 CHECK (sequence > 0);
UPDATE iu_core.event_outbox AS o
   SET sequence = n.place
  FROM (SELECT m.subject_id, m.outbox_id,
               row_number() OVER (PARTITION BY m.subject_id
                                  ORDER BY m.created_at, m.outbox_id)::integer AS place
          FROM iu_core.event_outbox AS m) AS n
 WHERE n.place > 1 AND o.subject_id = n.subject_id AND o.outbox_id = n.outbox_id;
COMMENT ON COLUMN iu_core.event_outbox.sequence IS
    'counts the messages of its subject, from 1, in the order of their transactions';
-- For replaying a time range. A B-tree would cost each composing an entry; messages come in the
-- order of time, so this one costs next to nothing.
CREATE INDEX event_outbox_by_time ON iu_core.event_outbox USING brin (created_at)
    WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE iu_core.iu_outbound_route (
    route_id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    route_name         text        NOT NULL CHECK (route_name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    revision           bigint      NOT NULL DEFAULT 1,
    enabled            boolean     NOT NULL,
    period             integer     NOT NULL DEFAULT 0,
    enabled_at         timestamptz,
    event_type_pattern text        NOT NULL,
    endpoint           text        NOT NULL,
    secrets            text[]      NOT NULL CHECK (cardinality(secrets) BETWEEN 1 AND 2),
    description        text        NOT NULL DEFAULT '',
    disabled_by_answer timestamptz,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    updated_by         text        NOT NULL,
    reason             text        NOT NULL,
    removed_at         timestamptz
);
COMMENT ON COLUMN iu_core.iu_outbound_route.period IS
    'counts the times that it was enabled: a delivery belongs to one of them';
COMMENT ON COLUMN iu_core.iu_outbound_route.event_type_pattern IS
    'a type, or the beginning of types and an asterisk';
COMMENT ON COLUMN iu_core.iu_outbound_route.secrets IS
    'whsec_ keys that its messages are signed with, the newer first';
COMMENT ON COLUMN iu_core.iu_outbound_route.disabled_by_answer IS
    'its endpoint answered 410 Gone: since then it is disabled';
COMMENT ON COLUMN iu_core.iu_outbound_route.removed_at IS
    'since then it is no route any more; attempts still name it';
CREATE UNIQUE INDEX iu_outbound_route_by_name ON iu_core.iu_outbound_route (route_name)
    WHERE removed_at IS NULL;

-- One row for each message and route, made in the transaction of the fact, of routes that are
-- enabled then. Distributed by subject_id, colocated with the message.
CREATE TABLE iu_core.iu_route_delivery (
    subject_id uuid        NOT NULL,
    outbox_id  uuid        NOT NULL,
    route_id   uuid        NOT NULL REFERENCES iu_core.iu_outbound_route,
    attempt_id uuid,
    created_at timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    ended_at   timestamptz,
    sequence   integer     NOT NULL,
    period     integer     NOT NULL,
    attempts   integer     NOT NULL DEFAULT 0,
    -- pending -> any. dead, cancelled, delivered -> pending: replayed.
    state      text        NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'delivered', 'dead', 'cancelled')),
    event_type text        NOT NULL,
    PRIMARY KEY (subject_id, outbox_id, route_id),
    FOREIGN KEY (subject_id, outbox_id) REFERENCES iu_core.event_outbox
);
COMMENT ON COLUMN iu_core.iu_route_delivery.due_at IS
    'when it may be claimed; of what is on the wire, when its lease is over';
COMMENT ON COLUMN iu_core.iu_route_delivery.attempt_id IS
    'the token of the attempt that is on the wire; NULL: none is';
COMMENT ON COLUMN iu_core.iu_route_delivery.attempts IS 'since it was made or replayed';
CREATE INDEX iu_route_delivery_due ON iu_core.iu_route_delivery (route_id, period, event_type, due_at)
    WHERE state = 'pending';

CREATE TABLE iu_core.iu_route_attempt (
    subject_id uuid        NOT NULL,
    attempt_id uuid        NOT NULL,
    outbox_id  uuid        NOT NULL,
    route_id   uuid        NOT NULL REFERENCES iu_core.iu_outbound_route,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    leased_until timestamptz NOT NULL,
    attempt    integer     NOT NULL,
    took_ms    integer,
    http_status integer,
    -- NULL: on the wire. abandoned: whoever made it was never heard of again.
    outcome    text CHECK (outcome IN ('delivered', 'failed', 'not_sent', 'abandoned')),
    error      text,
    detail     text,
    answer     text,
    worker     text        NOT NULL,
    PRIMARY KEY (subject_id, attempt_id),
    FOREIGN KEY (subject_id, outbox_id) REFERENCES iu_core.event_outbox
);
COMMENT ON COLUMN iu_core.iu_route_attempt.outcome IS
    'not_sent: nothing of the message can have left; failed: it may have been received';
COMMENT ON COLUMN iu_core.iu_route_attempt.answer IS 'the beginning of the endpoint''s answer';
CREATE INDEX iu_route_attempt_by_time ON iu_core.iu_route_attempt (started_at, attempt_id);
CREATE INDEX iu_route_attempt_by_route ON iu_core.iu_route_attempt (route_id, started_at, attempt_id);
CREATE INDEX iu_route_attempt_delivered ON iu_core.iu_route_attempt (ended_at, attempt_id)
    WHERE outcome = 'delivered';
CREATE INDEX iu_route_attempt_on_the_wire ON iu_core.iu_route_attempt (leased_until)
    WHERE ended_at IS NULL;

-- What the functions of delivery hand to each other.
CREATE TYPE iu_core.iu_claimed_delivery AS (
    subject_id uuid,
    outbox_id  uuid,
    route_id   uuid,
    attempt_id uuid,
    attempt    integer
);
CREATE TYPE iu_core.iu_due_delivery AS (
    subject_id  uuid,
    outbox_id   uuid,
    due_at      timestamptz,
    waits_until timestamptz
);
CREATE TYPE iu_core.iu_ended_delivery AS (
    subject_id  uuid,
    outbox_id   uuid,
    route_id    uuid,
    attempt_id  uuid,
    attempts    integer,
    state       text,
    event_type  text,
    http_status integer,
    decided     boolean
);

CREATE TABLE iu_core.iu_route_dead_letter (
    subject_id  uuid        NOT NULL,
    outbox_id   uuid        NOT NULL,
    route_id    uuid        NOT NULL REFERENCES iu_core.iu_outbound_route,
    attempt_id  uuid        NOT NULL,
    dead_at     timestamptz NOT NULL,
    replayed_at timestamptz,
    attempts    integer     NOT NULL,
    event_type  text        NOT NULL,
    replayed_by text,
    PRIMARY KEY (subject_id, outbox_id, route_id),
    FOREIGN KEY (subject_id, outbox_id) REFERENCES iu_core.event_outbox,
    FOREIGN KEY (subject_id, attempt_id) REFERENCES iu_core.iu_route_attempt
);
COMMENT ON COLUMN iu_core.iu_route_dead_letter.attempt_id IS 'the last, with the last answer';
CREATE INDEX iu_route_dead_letter_by_time ON iu_core.iu_route_dead_letter (dead_at, outbox_id, route_id);

-- What is sent again leaves no row of its own that tells who asked for it. The program before this one
-- reads records by their outcome, and passes over those that are done.
ALTER TABLE iu_core.iu_command_record
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT iu_command_record_outcome_check,
    ADD CONSTRAINT iu_command_record_outcome_check
        CHECK (outcome IN ('refused', 'dry_run', 'done')) NOT VALID;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE iu_core.iu_command_record VALIDATE CONSTRAINT iu_command_record_outcome_check;
COMMENT ON COLUMN iu_core.iu_command_record.code IS
    'the refusal''s code; for a dry run what it would have been; ok: it was done';

-- What the stream of facts reads by time. (Instances and refusals have such indexes.)
CREATE INDEX iu_instance_tombstone_by_rollback_time ON iu_core.iu_instance_tombstone
    (rolled_back_at, instance_collection_id);
CREATE INDEX iu_core_config_history_by_time ON iu_core.iu_core_config_history
    (occurred_at, history_id);
