-- grant: iu_app
-- Seals rows of the command record into segments, each of a thousand at most and with the digest of the
-- one before: at most p_segments of them, in this transaction, which should end with it.
--   p_sealed_by  who says so, one line
-- Answers {"status": "ok", "segments", "runs", "segment_no", "segment_digest", "more"}: how many it
-- sealed, and where the chain ends now. more: there is something left that is old enough
-- (fn_iu_audit_until), and can be sealed by another call, once those who are writing are done.
-- Sealers go one after the other, and one that is killed leaves nothing. Where nothing is old enough it
-- writes nothing, and waits for nobody. After the clock was set back it seals what has been done since in
-- segments that lie before the end of others (fn_iu_audit_rewind). Raises audit_chain_broken where the chain's end is gone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_seal(p_sealed_by text, p_segments integer)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_due      constant timestamptz := iu_core.fn_iu_audit_until(iu_core.fn_iu_now());
    v_complete timestamptz;
    v_sealed   integer;
    v_segments integer := 0;
    v_runs     bigint := 0;
    v_chain    iu_core.iu_audit_chain;
BEGIN
    SELECT c.* INTO v_chain FROM iu_core.iu_audit_chain AS c;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PF409', MESSAGE = 'audit_chain_broken';
    END IF;
    IF v_chain.last_at >= v_due OR EXISTS (
           SELECT FROM iu_core.fn_iu_audit_unsealed(
                           v_chain.last_at, v_chain.last_record_id, v_due, 1)) THEN
        PERFORM iu_core.fn_iu_lock('audit', ARRAY['chain'], false);
        PERFORM iu_core.fn_iu_audit_rewind(v_due);
        v_complete := iu_core.fn_iu_audit_until(iu_core.fn_iu_audit_horizon());
        WHILE v_complete IS NOT NULL AND v_segments < p_segments LOOP
            v_sealed := iu_core.fn_iu_audit_seal_one(p_sealed_by, v_complete);
            EXIT WHEN v_sealed = 0;
            v_segments := v_segments + 1;
            v_runs := v_runs + v_sealed;
        END LOOP;
        SELECT c.* INTO v_chain FROM iu_core.iu_audit_chain AS c;
    END IF;
    RETURN jsonb_build_object(
        'status', 'ok', 'segments', v_segments, 'runs', v_runs,
        'segment_no', v_chain.segment_no, 'segment_digest', v_chain.segment_digest,
        'more', EXISTS (SELECT FROM iu_core.fn_iu_audit_unsealed(
                                        v_chain.last_at, v_chain.last_record_id, v_due, 1)));
END
$$;
