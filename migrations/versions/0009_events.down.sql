-- Refuses while it would destroy rows, also those that are committed while it waits for a lock.
DO $$
DECLARE
    v_table text;
    v_has_rows boolean;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['iu_event_result',
                               'iu_event',
                               'iu_event_source',
                               'iu_sql_event_route']
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
    LOCK TABLE iu_core.event_type_registry IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM iu_core.event_type_registry AS t
                WHERE t.version > 1 OR t.data_schema IS NOT NULL) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.event_type_registry has types with a schema or a later version',
            HINT = 'Back the database up and take them away first, if they may really go.';
    END IF;
END
$$;

DROP TYPE iu_core.iu_event_firing;
DROP TYPE iu_core.iu_event_item;
DROP TABLE iu_core.iu_event_result;
DROP TABLE iu_core.iu_event;
DROP TABLE iu_core.iu_event_source;
DROP TABLE iu_core.iu_sql_event_route;
DROP TABLE iu_core.iu_event_rules;
ALTER TABLE iu_core.event_type_registry
    DROP COLUMN version,
    DROP COLUMN data_schema,
    DROP COLUMN updated_at,
    DROP COLUMN updated_by,
    DROP COLUMN reason;
