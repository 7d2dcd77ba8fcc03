-- Refuses while it would destroy rows, also those that are committed while it waits for a lock.
DO $$
DECLARE
    v_has_rows boolean;
BEGIN
    -- Before the look: whoever is writing commits first, and nobody writes after it.
    LOCK TABLE iu_core.iu_unit_axis_log IN ACCESS EXCLUSIVE MODE;
    SELECT EXISTS (SELECT FROM iu_core.iu_unit_axis_log) INTO v_has_rows;
    IF v_has_rows THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_unit_axis_log still has rows',
            HINT = 'Back the database up and empty the table first, if its rows may really go.';
    END IF;
END
$$;

DROP TABLE iu_core.iu_unit_axis_log;
COMMENT ON TABLE iu_core.iu_unit_axis IS NULL;
COMMENT ON TABLE iu_core.iu_composition_axis IS NULL;
