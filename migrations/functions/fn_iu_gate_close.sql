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
    v_gate    record;
    v_seals   boolean;
    v_changed boolean;
    v_gates   jsonb := '[]';
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
    FOR v_gate IN
        SELECT c.config_key, c.config_value = 'true'::jsonb AS was_open, c.sealed_at, l.live
          FROM iu_core.iu_core_config AS c
         CROSS JOIN LATERAL (
               SELECT count(*) AS live
                 FROM iu_core.iu_gate_lease AS g
                WHERE g.gate_key = c.config_key AND g.revoked_at IS NULL AND g.epoch = c.lease_epoch
                  AND g.expires_at > v_now AND g.uses_left IS DISTINCT FROM 0) AS l
         WHERE c.config_key = ANY (v_keys)
         ORDER BY c.config_key
    LOOP
        v_seals := coalesce(p_seal, false) AND v_gate.sealed_at IS NULL;
        v_changed := v_gate.was_open OR v_gate.live > 0 OR v_seals;
        -- The epoch moves on in any case: whoever waits to open the gate finds that it was closed
        -- meanwhile, and expired leases stay ended should a clock be set back.
        UPDATE iu_core.iu_core_config AS c
           SET config_value = 'false',
               lease_epoch = c.lease_epoch + 1,
               sealed_at   = CASE WHEN v_seals THEN v_now ELSE c.sealed_at END,
               sealed_by   = CASE WHEN v_seals THEN p_actor ELSE c.sealed_by END,
               revision    = CASE WHEN v_changed THEN c.revision + 1 ELSE c.revision END,
               updated_at  = CASE WHEN v_changed THEN v_now ELSE c.updated_at END,
               updated_by  = CASE WHEN v_changed THEN p_actor ELSE c.updated_by END,
               reason      = CASE WHEN v_changed THEN p_reason ELSE c.reason END
         WHERE c.config_key = v_gate.config_key;
        IF v_gate.was_open OR v_gate.live > 0 THEN
            PERFORM iu_core.fn_iu_config_note(
                v_gate.config_key, 'close', jsonb_build_object('leases_ended', v_gate.live), v_now,
                p_reason, p_actor, p_principal, p_request_id);
        END IF;
        IF v_seals THEN
            PERFORM iu_core.fn_iu_config_note(v_gate.config_key, 'seal', '{}', v_now,
                                              p_reason, p_actor, p_principal, p_request_id);
        END IF;
        v_gates := v_gates || jsonb_build_object(
            'gate', v_gate.config_key, 'changed', v_changed,
            'sealed', v_seals OR v_gate.sealed_at IS NOT NULL, 'leases_ended', v_gate.live);
    END LOOP;
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object('status', 'ok', 'at', v_now, 'gates', v_gates),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object(
            'gate', CASE WHEN cardinality(p_gate_keys) = 1 THEN p_gate_keys[1] END,
            'state', 'closed', 'seal', coalesce(p_seal, false), 'reason', p_reason));
END
$$;
