-- grant: iu_app
-- Takes a gate's seal away, and closes it as fn_iu_gate_close does: one command, and one run. Unsealing a
-- gate without a seal only closes it, and is no error. Locks the gate's row. COMMIT this, and then call
-- fn_iu_gate_drain, before saying that the gate is closed.
-- Answers {"status": "ok", "gate", "changed", "leases_ended", "at"}; refuses with invalid_input,
-- gate_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_unseal(
    p_gate_key text, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz;
    v_refused jsonb;
    v_gate    jsonb;
BEGIN
    v_refused := iu_core.fn_iu_gate_invalid('set_gate', p_gate_key, p_reason, p_actor, p_principal,
                                            p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    PERFORM iu_core.fn_iu_gate_lock_rows(ARRAY[p_gate_key]);
    v_now := iu_core.fn_iu_now();
    v_gate := iu_core.fn_iu_gate_shut(
        ARRAY[p_gate_key], false, true, v_now, p_reason, p_actor, p_principal, p_request_id) -> 0;
    RETURN iu_core.fn_iu_done(
        'set_gate', jsonb_build_object(
            'status', 'ok', 'gate', p_gate_key, 'at', v_now) || v_gate - 'sealed',
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object('state', 'closed', 'unseal', true, 'reason', p_reason));
END
$$;
