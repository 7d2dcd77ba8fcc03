-- Audit: the command record tells of every run of a command, and is sealed into a chain of segments.

-- Rows from before have none of it. The program before this one writes records by functions only.
ALTER TABLE iu_core.iu_command_record
    ADD COLUMN took_us          bigint,
    ADD COLUMN counts           jsonb,
    ADD COLUMN lease_ids        uuid[],
    ADD COLUMN instances_digest text;
COMMENT ON COLUMN iu_core.iu_command_record.subject_id IS
    'what it was about; of a run that composed, the call: batch_id of its instances';
COMMENT ON COLUMN iu_core.iu_command_record.took_us IS
    'microseconds from the beginning of its transaction; NULL: it is only counted, or older';
COMMENT ON COLUMN iu_core.iu_command_record.counts IS
    'of a batch: how many of its items came to what; NULL: it was none';
COMMENT ON COLUMN iu_core.iu_command_record.lease_ids IS
    'the leases by which closed gates admitted it; NULL: it needed none';
COMMENT ON COLUMN iu_core.iu_command_record.instances_digest IS
    'of the instances that it composed (fn_iu_instance_bytes); NULL: none';

-- A place in the order of times, and one that can be read: nothing lies before the first, or behind all
-- that is sealed for ever.
ALTER TABLE iu_core.iu_command_record
    ADD CONSTRAINT iu_command_record_times_check
        CHECK (first_at >= to_timestamp(0) AND first_at <= to_timestamp(253402214400)
               AND last_at >= to_timestamp(0) AND last_at <= to_timestamp(253402214400)) NOT VALID;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE iu_core.iu_command_record VALIDATE CONSTRAINT iu_command_record_times_check;

-- Most rows tell of what was done: whoever looks for refusals passes over them.
CREATE INDEX iu_command_record_refused ON iu_core.iu_command_record (last_at, record_id)
    WHERE outcome = 'refused';

ALTER TABLE iu_core.iu_auto_instantiate_event_log ADD COLUMN batch_id uuid;
ALTER TABLE iu_core.iu_instance_tombstone ADD COLUMN batch_id uuid;
COMMENT ON COLUMN iu_core.iu_auto_instantiate_event_log.batch_id IS
    'the call that composed it: with the actor, its run in the command record; NULL: older than runs';
COMMENT ON COLUMN iu_core.iu_instance_tombstone.batch_id IS 'as the event log had it';
CREATE INDEX iu_instance_tombstone_by_batch ON iu_core.iu_instance_tombstone (batch_id)
    WHERE batch_id IS NOT NULL;

-- What a composing call did as one actor, with one template.
CREATE TYPE iu_core.iu_compose_part AS (
    actor       text,
    template_id uuid,
    first       integer,
    principal   text,
    pays        boolean,
    items       bigint,
    told        bigint,
    tried       bigint,
    composed    bigint,
    instances   bytea
);

-- A segment seals the runs behind the one before it, in the order of their times and ids, up to
-- (last_at, last_record_id).
CREATE TABLE iu_core.iu_audit_segment (
    segment_no      bigint      PRIMARY KEY CHECK (segment_no > 0),
    last_record_id  uuid        NOT NULL,
    exported_by     uuid,
    retired_by      uuid,
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    sealed_at       timestamptz NOT NULL,
    exported_at     timestamptz,
    retired_at      timestamptz,
    runs            integer     NOT NULL CHECK (runs > 0),
    runs_digest     text        NOT NULL CHECK (runs_digest ~ '^[0-9a-f]{64}$'),
    previous_digest text        NOT NULL CHECK (previous_digest ~ '^[0-9a-f]{64}$'),
    segment_digest  text        NOT NULL CHECK (segment_digest ~ '^[0-9a-f]{64}$'),
    sealed_by       text        NOT NULL,
    sealed_runs     text        NOT NULL,
    UNIQUE (last_at, last_record_id),
    CHECK (retired_at IS NULL OR exported_at IS NOT NULL),
    CHECK ((exported_at IS NULL) = (exported_by IS NULL)),
    CHECK ((retired_at IS NULL) = (retired_by IS NULL))
);
COMMENT ON COLUMN iu_core.iu_audit_segment.sealed_runs IS
    'a line for each run, as sha256sum writes it: digest, two spaces, record id';
COMMENT ON COLUMN iu_core.iu_audit_segment.runs_digest IS 'SHA-256 of sealed_runs';
COMMENT ON COLUMN iu_core.iu_audit_segment.previous_digest IS
    'the segment_digest before it; of the first, 64 zeros';
COMMENT ON COLUMN iu_core.iu_audit_segment.segment_digest IS 'SHA-256 of fn_iu_audit_head';
COMMENT ON COLUMN iu_core.iu_audit_segment.exported_at IS
    'when a signed head of it, or of one behind it, was first given away';
COMMENT ON COLUMN iu_core.iu_audit_segment.retired_at IS
    'since then its runs may be gone; what it says of them stays';
COMMENT ON COLUMN iu_core.iu_audit_segment.exported_by IS
    'the subject_id of the run that exported it: its details have segment_no, this one or a later one';
COMMENT ON COLUMN iu_core.iu_audit_segment.retired_by IS
    'the subject_id of the run that retired it: its details have retired, segment_no to segment_digest';

-- One row: where the chain ends, and who was writing when a sealer last looked.
CREATE TABLE iu_core.iu_audit_chain (
    only_row       boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    last_at        timestamptz NOT NULL DEFAULT '-infinity',
    looked_at      timestamptz,
    segment_no     bigint      NOT NULL DEFAULT 0,
    last_record_id uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    segment_digest text        NOT NULL DEFAULT repeat('0', 64),
    running        text[]
);
COMMENT ON COLUMN iu_core.iu_audit_chain.last_at IS
    'with last_record_id, from where the next sealer looks: the end of the last segment or, since the clock '
    'was set back, before it';
COMMENT ON COLUMN iu_core.iu_audit_chain.running IS
    'the transactions that were running at looked_at: fn_iu_fact_horizon';
INSERT INTO iu_core.iu_audit_chain DEFAULT VALUES;

-- What was composed before there were runs gets one, together: fn_iu_audit_finding_older compares.
INSERT INTO iu_core.iu_command_record
       (subject_id, first_at, last_at, command, outcome, code, actor, details)
SELECT '00000000-0000-0000-0000-000000000000', n.at, n.at, 'migrate_database', 'done', 'ok',
       'iu-core-migration', jsonb_build_object(
           'instances', o.instances, 'instances_sha256', o.digest,
           'tombstones', (SELECT count(*) FROM iu_core.iu_instance_tombstone))
  FROM (SELECT clock_timestamp() + c.set_ahead AS at FROM iu_core.iu_clock AS c) AS n
 CROSS JOIN (
       SELECT count(*) AS instances,
              encode(sha256(string_agg(e.digest, '' ORDER BY e.id, e.digest)), 'hex') AS digest
         FROM (SELECT i.id, sha256(convert_to(jsonb_build_array(
                          i.id, i.template_collection_id, i.composition_digest, i.data_digest,
                          i.actor)::text, 'UTF8')) AS digest
                 FROM (SELECT g.instance_collection_id AS id, g.template_collection_id,
                              g.composition_digest, l.data_digest, l.actor
                         FROM iu_core.iu_collection_template_instance_lineage AS g
                         LEFT JOIN iu_core.iu_auto_instantiate_event_log AS l
                                ON l.instance_collection_id = g.instance_collection_id
                        UNION ALL
                       SELECT t.instance_collection_id, t.template_collection_id,
                              t.composition_digest, t.data_digest, t.actor
                         FROM iu_core.iu_instance_tombstone AS t) AS i) AS e) AS o
 WHERE o.instances > 0;
