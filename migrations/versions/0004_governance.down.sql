-- Refuses while it would destroy rows, also those that are committed while it waits for a lock.
DO $$
DECLARE
    v_table text;
    v_has_rows boolean;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['iu_integrity_check',
                               'iu_command_record',
                               'iu_api_key',
                               'iu_gate_lease',
                               'iu_core_config_history']
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

    -- Rows that were there from the first may go as they were made, and not as they are since.
    LOCK TABLE iu_core.iu_clock, iu_core.iu_core_config IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM iu_core.iu_clock AS k WHERE k.set_ahead <> interval '0') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_clock is set to another time',
            HINT = 'Set it back first: SELECT iu_core.fn_iu_set_clock(interval ''0'').';
    END IF;
    IF EXISTS (
        SELECT c.config_key, c.config_value, c.lease_epoch, c.revision, c.sealed_at, c.updated_by
          FROM iu_core.iu_core_config AS c
        EXCEPT
        SELECT 'iu_core.' || s.name, s.value, 0, 1, NULL, 'iu-core-migration'
          FROM (VALUES ('piece_write_enabled', 'false'::jsonb),
                       ('lifecycle_enabled', 'false'),
                       ('template_authoring_enabled', 'false'),
                       ('composer_enabled', 'false'),
                       ('auto_instantiate_enabled', 'false'),
                       ('event_intake_enabled', 'false'),
                       ('instance_upgrade_enabled', 'false'),
                       ('envelope_refresh_enabled', 'false'),
                       ('delivery_enabled', 'false'),
                       ('retention_enabled', 'false'),
                       ('vector_sync_enabled', 'false'),
                       ('delivery_live_routes', '[]'),
                       ('unknown_event_types', '"inert"')) AS s(name, value)
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_core_config has rows that were changed or added',
            HINT = 'Back the database up and make them what they were at first, if they may really go.';
    END IF;
END
$$;

DROP TABLE iu_core.iu_integrity_check;
DROP TABLE iu_core.iu_command_record;
DROP TABLE iu_core.iu_api_key;
DROP TABLE iu_core.iu_gate_lease;
DROP TABLE iu_core.iu_core_config_history;
DROP TABLE iu_core.iu_clock;
DROP TABLE iu_core.iu_core_config;
