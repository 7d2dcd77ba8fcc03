-- Command record: what its values may be is told by their types. PostgreSQL keeps what a domain checks ready
-- for the next statement; a CHECK of the table is read, planned and compiled anew with every INSERT.
CREATE DOMAIN iu_core.iu_command_time AS timestamptz;
CREATE DOMAIN iu_core.iu_command_outcome AS text;
CREATE DOMAIN iu_core.iu_command_occurrences AS bigint;
COMMENT ON DOMAIN iu_core.iu_command_time IS 'a time that every reader of the command record can show';

-- The domains check nothing yet: so no row is written anew. Of the revision before there was one without the
-- constraint.
ALTER TABLE iu_core.iu_command_record
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT IF EXISTS iu_command_record_check,
    -- squawk-ignore changing-column-type
    ALTER COLUMN first_at TYPE iu_core.iu_command_time,
    -- squawk-ignore changing-column-type
    ALTER COLUMN last_at TYPE iu_core.iu_command_time,
    -- squawk-ignore changing-column-type
    ALTER COLUMN outcome TYPE iu_core.iu_command_outcome,
    -- squawk-ignore changing-column-type
    ALTER COLUMN occurrences TYPE iu_core.iu_command_occurrences;

-- Validated at once, and each row is looked at for it.
-- squawk-ignore ban-alter-domain-with-add-constraint
ALTER DOMAIN iu_core.iu_command_time ADD CONSTRAINT iu_command_time_check
    CHECK (VALUE >= '1970-01-01 00:00:00+00' AND VALUE <= '9999-12-31 00:00:00+00');
-- squawk-ignore ban-alter-domain-with-add-constraint
ALTER DOMAIN iu_core.iu_command_outcome ADD CONSTRAINT iu_command_outcome_check
    CHECK (VALUE = ANY ('{refused,dry_run,done}'));
-- squawk-ignore ban-alter-domain-with-add-constraint
ALTER DOMAIN iu_core.iu_command_occurrences ADD CONSTRAINT iu_command_occurrences_check CHECK (VALUE > 0);

-- Changing a column's type forgets what was known of its values, by which plans are made. Where nothing was,
-- nothing is looked for: a table that is known to be empty is planned to be read whole.
DO $$
BEGIN
    IF (SELECT c.reltuples > 0 FROM pg_class AS c WHERE c.oid = 'iu_core.iu_command_record'::regclass) THEN
        ANALYZE iu_core.iu_command_record (first_at, last_at, outcome, occurrences);
    END IF;
END
$$;
