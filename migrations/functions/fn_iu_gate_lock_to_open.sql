-- grant: owner only
-- Locks a gate's row for an opening or a lease, and answers the recorded refusal when there can be
-- none: the gate is sealed, or it was closed while this waited for the lock. A closing beats
-- whatever was under way against it; who still wants the gate open says so again.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_lock_to_open(
    p_command text, p_gate_key text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_epoch  bigint;
    v_closed boolean;
    v_sealed boolean;
BEGIN
    SELECT c.lease_epoch INTO v_epoch FROM iu_core.iu_core_config AS c WHERE c.config_key = p_gate_key;
    PERFORM iu_core.fn_iu_gate_lock_rows(ARRAY[p_gate_key]);
    SELECT c.lease_epoch <> v_epoch, c.sealed_at IS NOT NULL INTO v_closed, v_sealed
      FROM iu_core.iu_core_config AS c WHERE c.config_key = p_gate_key;
    IF v_sealed THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'gate_sealed', jsonb_build_object('gate', p_gate_key),
                                    p_actor, p_principal, p_request_id);
    END IF;
    IF v_closed THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'operation_state',
            jsonb_build_object('state', 'closed', 'detail', 'The gate was closed at the same moment.'),
            p_actor, p_principal, p_request_id);
    END IF;
    RETURN NULL;
END
$$;
