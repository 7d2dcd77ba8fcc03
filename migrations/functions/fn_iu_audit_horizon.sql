-- grant: owner only
-- Until when the command record is complete: every row with an earlier time is there. NULL: whoever was
-- writing at the last look is not done yet; ask again. A look says who is writing. When nobody is,
-- everything from before it is there; otherwise it is kept, and says so once all of them are done.
-- The caller holds the lock `audit`.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_horizon()
RETURNS timestamptz
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_kept     iu_core.iu_audit_chain;
    v_at       timestamptz;
    v_running  text[];
    v_complete timestamptz;
BEGIN
    SELECT c.* INTO v_kept FROM iu_core.iu_audit_chain AS c;
    SELECT h.begun_at, array_remove(h.running, pg_current_xact_id()::text) INTO v_at, v_running
      FROM iu_core.fn_iu_fact_horizon() AS h;
    v_complete := CASE WHEN v_running = '{}' THEN v_at
                       WHEN NOT v_running && v_kept.running THEN v_kept.looked_at END;
    IF v_complete IS NOT NULL OR v_kept.looked_at IS NULL THEN
        UPDATE iu_core.iu_audit_chain AS c SET looked_at = v_at, running = v_running;
    END IF;
    RETURN v_complete;
END
$$;
