-- Refuses while it would destroy rows, also those that are committed while it waits for a lock.
DO $$
DECLARE
    v_table text;
    v_has_rows boolean;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['iu_composition_axis',
                               'iu_composition_piece',
                               'iu_composition',
                               'iu_vector_sync_point',
                               'iu_lifecycle_log',
                               'iu_unit_axis',
                               'information_unit']
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
END
$$;

DROP TABLE iu_core.iu_composition_axis;
DROP TABLE iu_core.iu_composition_piece;
DROP TABLE iu_core.iu_composition;
DROP TABLE iu_core.iu_vector_sync_point;
DROP TABLE iu_core.iu_lifecycle_log;
DROP TABLE iu_core.iu_unit_axis;
DROP TABLE iu_core.information_unit;
