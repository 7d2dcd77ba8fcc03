-- Refuses while it would destroy rows, also those that are committed while it waits for a lock.
DO $$
BEGIN
    LOCK TABLE iu_core.iu_audit_segment, iu_core.iu_command_record,
               iu_core.iu_auto_instantiate_event_log, iu_core.iu_instance_tombstone
        IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM iu_core.iu_audit_segment) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_audit_segment still has rows',
            HINT = 'Export the chain''s head and back the database up first, if it may really go.';
    END IF;
    IF EXISTS (SELECT FROM iu_core.iu_command_record AS d
                WHERE d.took_us IS NOT NULL OR d.counts IS NOT NULL OR d.lease_ids IS NOT NULL
                   OR d.instances_digest IS NOT NULL)
       OR EXISTS (SELECT FROM iu_core.iu_auto_instantiate_event_log AS l WHERE l.batch_id IS NOT NULL)
       OR EXISTS (SELECT FROM iu_core.iu_instance_tombstone AS t WHERE t.batch_id IS NOT NULL) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_command_record still tells of runs',
            HINT = 'Back the database up and set what the revision added to NULL, if it may really go.';
    END IF;
END
$$;

-- What the revision itself wrote.
DELETE FROM iu_core.iu_command_record
 WHERE subject_id = '00000000-0000-0000-0000-000000000000' AND command = 'migrate_database';
DROP TABLE iu_core.iu_audit_chain;
DROP TABLE iu_core.iu_audit_segment;
DROP TYPE iu_core.iu_compose_part;
DROP INDEX iu_core.iu_instance_tombstone_by_batch;
ALTER TABLE iu_core.iu_instance_tombstone DROP COLUMN batch_id;
ALTER TABLE iu_core.iu_auto_instantiate_event_log DROP COLUMN batch_id;
DROP INDEX iu_core.iu_command_record_refused;
ALTER TABLE iu_core.iu_command_record
    DROP CONSTRAINT iu_command_record_times_check,
    DROP COLUMN instances_digest,
    DROP COLUMN lease_ids,
    DROP COLUMN counts,
    DROP COLUMN took_us;
COMMENT ON COLUMN iu_core.iu_command_record.subject_id IS NULL;
