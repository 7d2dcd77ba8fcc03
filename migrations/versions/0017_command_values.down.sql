ALTER TABLE iu_core.iu_command_record
    -- squawk-ignore changing-column-type
    ALTER COLUMN first_at TYPE timestamptz,
    -- squawk-ignore changing-column-type
    ALTER COLUMN last_at TYPE timestamptz,
    -- squawk-ignore changing-column-type
    ALTER COLUMN outcome TYPE text,
    -- squawk-ignore changing-column-type
    ALTER COLUMN occurrences TYPE bigint,
    ADD CONSTRAINT iu_command_record_check
        CHECK (occurrences > 0 AND outcome = ANY ('{refused,dry_run,done}')
               AND first_at >= '1970-01-01 00:00:00+00' AND first_at <= '9999-12-31 00:00:00+00'
               AND last_at >= '1970-01-01 00:00:00+00' AND last_at <= '9999-12-31 00:00:00+00') NOT VALID;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE iu_core.iu_command_record VALIDATE CONSTRAINT iu_command_record_check;

DROP DOMAIN iu_core.iu_command_time;
DROP DOMAIN iu_core.iu_command_outcome;
DROP DOMAIN iu_core.iu_command_occurrences;

-- As on the way up.
DO $$
BEGIN
    IF (SELECT c.reltuples > 0 FROM pg_class AS c WHERE c.oid = 'iu_core.iu_command_record'::regclass) THEN
        ANALYZE iu_core.iu_command_record (first_at, last_at, outcome, occurrences);
    END IF;
END
$$;
