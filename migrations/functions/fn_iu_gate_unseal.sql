-- grant: iu_app
-- Takes a gate's seal away; it stays closed. Unsealing a gate without a seal changes nothing and is
-- no error. Locks the gate's row. Answers {"status": "ok", "gate", "changed", "at"}; refuses with
-- invalid_input, gate_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_unseal(
    p_gate_key text, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz;
    v_refused jsonb;
    v_changed boolean;
BEGIN
    v_refused := iu_core.fn_iu_gate_invalid('set_gate', p_gate_key, p_reason, p_actor, p_principal,
                                            p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    PERFORM iu_core.fn_iu_gate_lock_rows(ARRAY[p_gate_key]);
    v_now := iu_core.fn_iu_now();
    UPDATE iu_core.iu_core_config AS c
       SET sealed_at = NULL, sealed_by = NULL, revision = c.revision + 1,
           updated_at = v_now, updated_by = p_actor, reason = p_reason
     WHERE c.config_key = p_gate_key AND c.sealed_at IS NOT NULL;
    v_changed := FOUND;
    IF v_changed THEN
        PERFORM iu_core.fn_iu_config_note(p_gate_key, 'unseal', '{}', v_now,
                                          p_reason, p_actor, p_principal, p_request_id);
    END IF;
    RETURN iu_core.fn_iu_done(
        'set_gate', jsonb_build_object(
            'status', 'ok', 'gate', p_gate_key, 'changed', v_changed, 'at', v_now),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object('state', 'closed', 'unseal', true, 'reason', p_reason));
END
$$;
