-- Refuses while it would destroy rows, also those that are committed while it waits for a lock. Where
-- there is no schema nothing refers to one: the columns are empty.
DO $$
DECLARE
    v_has_rows boolean;
BEGIN
    -- Before the look: whoever is writing commits first, and nobody writes after it.
    LOCK TABLE iu_core.iu_template_schema IN ACCESS EXCLUSIVE MODE;
    SELECT EXISTS (SELECT FROM iu_core.iu_template_schema) INTO v_has_rows;
    IF v_has_rows THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_template_schema still has rows',
            HINT = 'Back the database up and empty the table first, if its rows may really go.';
    END IF;
END
$$;

ALTER TYPE iu_core.iu_compose_item
    DROP ATTRIBUTE schema_digest;
ALTER TABLE iu_core.iu_operation_item
    DROP COLUMN schema_digest,
    DROP COLUMN data_errors;
ALTER TABLE iu_core.iu_collection_template_registry
    DROP COLUMN schema_digest,
    DROP COLUMN empty_data_errors;
DROP TABLE iu_core.iu_template_schema;
