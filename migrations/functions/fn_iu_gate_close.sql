-- grant: iu_app
-- Closes gates and ends their leases: all eleven when p_gate_keys is NULL. With p_seal they also
-- take no opening, lease or window until fn_iu_gate_unseal. Unconditional and idempotent: closing
-- a closed gate leaves no trace in its history.
-- Locks the gates' rows only. It never waits for whoever passed a gate before: leases end by the
-- gate's epoch, not by their rows, which composers may hold. COMMIT this, and then call
-- fn_iu_gate_drain, before saying that a gate is closed.
-- Answers {"status": "ok", "at", "gates": [{"gate", "changed", "sealed", "leases_ended"}]}, sorted;
-- refuses with invalid_input, gate_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_close(
    p_gate_keys text[], p_seal boolean, p_reason text, p_actor text, p_principal text,
    p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command text := CASE WHEN p_gate_keys IS NULL THEN 'close_all_gates' ELSE 'set_gate' END;
    v_keys    text[];
    v_now     timestamptz;
    v_refused jsonb;
    v_gates   jsonb;
BEGIN
    SELECT array_agg(c.config_key ORDER BY c.config_key) INTO v_keys
      FROM iu_core.iu_core_config AS c
     WHERE c.is_write_gate AND (p_gate_keys IS NULL OR c.config_key = ANY (p_gate_keys));
    v_refused := iu_core.fn_iu_gate_invalid(
        v_command, (SELECT k.gate_key FROM unnest(coalesce(p_gate_keys, v_keys)) AS k(gate_key)
                     ORDER BY k.gate_key = ANY (v_keys) NULLS FIRST LIMIT 1),
        p_reason, p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    PERFORM iu_core.fn_iu_gate_lock_rows(v_keys);
    v_now := iu_core.fn_iu_now();
    v_gates := iu_core.fn_iu_gate_shut(
        v_keys, coalesce(p_seal, false), false, v_now, p_reason, p_actor, p_principal, p_request_id);
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object('status', 'ok', 'at', v_now, 'gates', v_gates),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object(
            'gate', CASE WHEN cardinality(p_gate_keys) = 1 THEN p_gate_keys[1] END,
            'state', 'closed', 'seal', coalesce(p_seal, false), 'reason', p_reason));
END
$$;
