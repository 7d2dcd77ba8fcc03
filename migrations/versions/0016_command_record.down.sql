ALTER TABLE iu_core.iu_command_record
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT iu_command_record_check,
    ADD CONSTRAINT iu_command_record_times_check
        CHECK (first_at >= to_timestamp(0) AND first_at <= to_timestamp(253402214400)
               AND last_at >= to_timestamp(0) AND last_at <= to_timestamp(253402214400)) NOT VALID,
    ADD CONSTRAINT iu_command_record_occurrences_check CHECK (occurrences > 0) NOT VALID,
    ADD CONSTRAINT iu_command_record_outcome_check
        CHECK (outcome IN ('refused', 'dry_run', 'done')) NOT VALID;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE iu_core.iu_command_record
    VALIDATE CONSTRAINT iu_command_record_times_check,
    VALIDATE CONSTRAINT iu_command_record_occurrences_check,
    VALIDATE CONSTRAINT iu_command_record_outcome_check;

CREATE INDEX iu_command_record_dry_runs ON iu_core.iu_command_record (template_collection_id)
    WHERE outcome = 'dry_run';
CREATE INDEX iu_command_record_refused ON iu_core.iu_command_record (last_at, record_id)
    WHERE outcome = 'refused';
DROP INDEX iu_core.iu_command_record_not_done;
