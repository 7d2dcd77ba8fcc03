-- grant: iu_app
-- Opens a gate until it is closed. Opening an open gate changes nothing and is no error.
-- Locks the gate's row, for which only other openings, leases and closings wait. Answers
-- {"status": "ok", "gate", "changed", "at"}; refuses with invalid_input, gate_not_found,
-- gate_sealed.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_open(
    p_gate_key text, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz;
    v_refused jsonb;
    v_gate    iu_core.iu_core_config;
    v_changed boolean;
BEGIN
    v_refused := iu_core.fn_iu_gate_invalid('set_gate', p_gate_key, p_reason, p_actor, p_principal,
                                            p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    PERFORM iu_core.fn_iu_gate_lock_rows(ARRAY[p_gate_key]);
    SELECT c.* INTO v_gate FROM iu_core.iu_core_config AS c WHERE c.config_key = p_gate_key;
    IF v_gate.sealed_at IS NOT NULL THEN
        RETURN iu_core.fn_iu_refuse('set_gate', 'gate_sealed', jsonb_build_object('gate', p_gate_key),
                                    p_actor, p_principal, p_request_id);
    END IF;

    v_now := iu_core.fn_iu_now();
    v_changed := v_gate.config_value <> 'true'::jsonb;
    IF v_changed THEN
        UPDATE iu_core.iu_core_config AS c
           SET config_value = 'true', revision = c.revision + 1,
               updated_at = v_now, updated_by = p_actor, reason = p_reason
         WHERE c.config_key = p_gate_key;
        PERFORM iu_core.fn_iu_config_note(p_gate_key, 'open', '{}', v_now,
                                          p_reason, p_actor, p_principal, p_request_id);
    END IF;
    RETURN jsonb_build_object('status', 'ok', 'gate', p_gate_key, 'changed', v_changed, 'at', v_now);
END
$$;
