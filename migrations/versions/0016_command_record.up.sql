-- Command record: a run costs little more than its row. A CHECK is read, planned and compiled anew with every
-- INSERT, so there is one in place of three, with the times as they are compared, and one partial index in
-- place of two.
ALTER TABLE iu_core.iu_command_record
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT iu_command_record_occurrences_check,
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT iu_command_record_outcome_check,
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT iu_command_record_times_check,
    ADD CONSTRAINT iu_command_record_check
        CHECK (occurrences > 0 AND outcome = ANY ('{refused,dry_run,done}')
               AND first_at >= '1970-01-01 00:00:00+00' AND first_at <= '9999-12-31 00:00:00+00'
               AND last_at >= '1970-01-01 00:00:00+00' AND last_at <= '9999-12-31 00:00:00+00') NOT VALID;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE iu_core.iu_command_record VALIDATE CONSTRAINT iu_command_record_check;

-- What is not a run of what was done.
CREATE INDEX iu_command_record_not_done ON iu_core.iu_command_record (outcome, last_at, record_id)
    WHERE outcome <> 'done';
DROP INDEX iu_core.iu_command_record_refused;
DROP INDEX iu_core.iu_command_record_dry_runs;
