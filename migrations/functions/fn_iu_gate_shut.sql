-- grant: owner only
-- Closes gates whose rows the caller has locked, ends their leases, and notes it in their history.
--   p_seal    with a seal, where there is none yet
--   p_unseal  without the seal, where there is one
--   p_now     the time of it
-- Answers [{"gate", "changed", "sealed", "leases_ended"}], sorted.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_shut(
    p_gate_keys text[], p_seal boolean, p_unseal boolean, p_now timestamptz, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_gate    record;
    v_seals   boolean;
    v_unseals boolean;
    v_closes  boolean;
    v_changes integer;
    v_gates   jsonb := '[]';
BEGIN
    FOR v_gate IN
        SELECT c.config_key, c.config_value = 'true'::jsonb AS was_open,
               c.sealed_at IS NOT NULL AS was_sealed, l.live
          FROM iu_core.iu_core_config AS c
         CROSS JOIN LATERAL (
               SELECT count(*) AS live
                 FROM iu_core.iu_gate_lease AS g
                WHERE g.gate_key = c.config_key AND g.revoked_at IS NULL AND g.epoch = c.lease_epoch
                  AND g.expires_at > p_now AND g.uses_left IS DISTINCT FROM 0) AS l
         WHERE c.config_key = ANY (p_gate_keys)
         ORDER BY c.config_key
    LOOP
        v_closes := v_gate.was_open OR v_gate.live > 0;
        v_seals := p_seal AND NOT v_gate.was_sealed;
        v_unseals := p_unseal AND v_gate.was_sealed;
        v_changes := (v_closes OR v_seals)::integer + v_unseals::integer;
        -- The epoch moves on in any case: whoever waits to open the gate finds that it was closed
        -- meanwhile, and expired leases stay ended should a clock be set back.
        UPDATE iu_core.iu_core_config AS c
           SET config_value = 'false',
               lease_epoch = c.lease_epoch + 1,
               sealed_at   = CASE WHEN v_seals THEN p_now
                                  WHEN NOT v_unseals THEN c.sealed_at END,
               sealed_by   = CASE WHEN v_seals THEN p_actor
                                  WHEN NOT v_unseals THEN c.sealed_by END,
               revision    = c.revision + v_changes,
               updated_at  = CASE WHEN v_changes > 0 THEN p_now ELSE c.updated_at END,
               updated_by  = CASE WHEN v_changes > 0 THEN p_actor ELSE c.updated_by END,
               reason      = CASE WHEN v_changes > 0 THEN p_reason ELSE c.reason END
         WHERE c.config_key = v_gate.config_key;
        IF v_closes THEN
            PERFORM iu_core.fn_iu_config_note(
                v_gate.config_key, 'close', jsonb_build_object('leases_ended', v_gate.live), p_now,
                p_reason, p_actor, p_principal, p_request_id);
        END IF;
        IF v_seals OR v_unseals THEN
            PERFORM iu_core.fn_iu_config_note(
                v_gate.config_key, CASE WHEN v_seals THEN 'seal' ELSE 'unseal' END, '{}', p_now,
                p_reason, p_actor, p_principal, p_request_id);
        END IF;
        v_gates := v_gates || jsonb_build_object(
            'gate', v_gate.config_key, 'changed', v_changes > 0,
            'sealed', v_seals OR v_gate.was_sealed AND NOT v_unseals, 'leases_ended', v_gate.live);
    END LOOP;
    RETURN v_gates;
END
$$;
