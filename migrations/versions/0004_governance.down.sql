-- Refuses while it would destroy rows.
DO $$
DECLARE
    v_table text;
    v_has_rows boolean;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['iu_command_record',
                               'iu_api_key',
                               'iu_gate_lease',
                               'iu_core_config_history']
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM iu_core.%I)', v_table) INTO v_has_rows;
        IF v_has_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'PF409',
                MESSAGE = format('iu_core.%s still has rows', v_table),
                HINT = 'Back the database up and empty the table first, if its rows may really go.';
        END IF;
    END LOOP;
END
$$;

DROP TABLE iu_core.iu_integrity_check;
DROP TABLE iu_core.iu_command_record;
DROP TABLE iu_core.iu_api_key;
DROP TABLE iu_core.iu_gate_lease;
DROP TABLE iu_core.iu_core_config_history;
DROP TABLE iu_core.iu_clock;
DROP TABLE iu_core.iu_core_config;
