-- Refuses while it would destroy rows, also those that are committed while it waits for a lock.
DO $$
DECLARE
    v_table text;
    v_has_rows boolean;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['iu_route_dead_letter',
                               'iu_route_attempt',
                               'iu_route_delivery',
                               'iu_outbound_route']
    LOOP
        -- Before the look: whoever is writing commits first, and nobody writes after it.
        EXECUTE format('LOCK TABLE iu_core.%I IN ACCESS EXCLUSIVE MODE', v_table);
        EXECUTE format('SELECT EXISTS (SELECT FROM iu_core.%I)', v_table) INTO v_has_rows;
        IF v_has_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'PF409',
                MESSAGE = format('iu_core.%s still has rows', v_table),
                HINT = 'Back the database up and empty the table first, if its rows may really go.';
        END IF;
    END LOOP;
    LOCK TABLE iu_core.iu_command_record IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM iu_core.iu_command_record AS d WHERE d.outcome = 'done') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_command_record still tells what was sent again',
            HINT = 'Back the database up and delete the records that are done, if they may go.';
    END IF;
END
$$;

ALTER TABLE iu_core.iu_command_record
    DROP CONSTRAINT iu_command_record_outcome_check,
    ADD CONSTRAINT iu_command_record_outcome_check
        CHECK (outcome IN ('refused', 'dry_run'));
COMMENT ON COLUMN iu_core.iu_command_record.code IS
    'the refusal''s code; for a dry run what it would have been';
DROP TYPE iu_core.iu_ended_delivery;
DROP TYPE iu_core.iu_due_delivery;
DROP TYPE iu_core.iu_claimed_delivery;
DROP TABLE iu_core.iu_route_dead_letter;
DROP TABLE iu_core.iu_route_attempt;
DROP TABLE iu_core.iu_route_delivery;
DROP TABLE iu_core.iu_outbound_route;
DROP INDEX iu_core.iu_core_config_history_by_time;
DROP INDEX iu_core.iu_instance_tombstone_by_rollback_time;
DROP INDEX iu_core.event_outbox_by_time;
ALTER TABLE iu_core.event_outbox DROP COLUMN sequence;
