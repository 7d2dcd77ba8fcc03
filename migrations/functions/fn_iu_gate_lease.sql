-- grant: iu_app
-- Opens a gate for a while: p_seconds, 1 to 86400, from now on; for one actor only, or for all
-- when p_for_actor is NULL; for a number of newly composed instances, or any when p_uses is NULL.
-- Only the two gates of composing count uses. Leases add up; closing the gate ends them all.
-- Locks the gate's row, for which only other openings, leases and closings wait. A lease that waited
-- for a closing is not taken. Answers {"status": "ok", "lease_id", "opened_at", "expires_at"};
-- refuses with invalid_input, gate_not_found, gate_sealed, operation_state.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_lease(
    p_gate_key text, p_for_actor text, p_uses integer, p_seconds integer, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz;
    v_refused jsonb;
    v_lease   iu_core.iu_gate_lease;
BEGIN
    v_refused := iu_core.fn_iu_gate_invalid('lease_gate', p_gate_key, p_reason, p_actor, p_principal,
                                            p_request_id);
    IF v_refused IS NULL THEN
        v_refused := iu_core.fn_iu_invalid_input('lease_gate',
            ARRAY['/for_actor', '/uses', '/uses', '/seconds'],
            ARRAY['should be an actor''s tag', 'should be 1 or more',
                  'can be counted only at iu_core.composer_enabled and iu_core.auto_instantiate_enabled',
                  'should be between 1 and 86400'],
            ARRAY[p_for_actor IS NULL OR iu_core.fn_iu_is_actor(p_for_actor),
                  p_uses IS NULL OR p_uses >= 1,
                  p_uses IS NULL OR p_gate_key IN ('iu_core.composer_enabled',
                                                   'iu_core.auto_instantiate_enabled'),
                  p_seconds BETWEEN 1 AND 86400],
            p_actor, p_principal, p_request_id);
    END IF;
    IF v_refused IS NULL THEN
        v_refused := iu_core.fn_iu_gate_lock_to_open('lease_gate', p_gate_key, p_actor, p_principal,
                                                     p_request_id);
    END IF;
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_now := iu_core.fn_iu_now();
    INSERT INTO iu_core.iu_gate_lease
           (gate_key, epoch, actor, uses_limit, uses_left, opened_by, reason, opened_at, expires_at)
    SELECT c.config_key, c.lease_epoch, p_for_actor, p_uses, p_uses, p_actor, p_reason, v_now,
           v_now + make_interval(secs => p_seconds)
      FROM iu_core.iu_core_config AS c
     WHERE c.config_key = p_gate_key
    RETURNING * INTO v_lease;
    PERFORM iu_core.fn_iu_config_note(
        p_gate_key, 'lease',
        jsonb_build_object('lease_id', v_lease.lease_id, 'for_actor', p_for_actor, 'uses', p_uses,
                           'expires_at', v_lease.expires_at),
        v_now, p_reason, p_actor, p_principal, p_request_id);
    RETURN iu_core.fn_iu_done(
        'lease_gate', jsonb_build_object(
            'status', 'ok', 'lease_id', v_lease.lease_id, 'opened_at', v_now,
            'expires_at', v_lease.expires_at),
        p_actor, p_principal, p_request_id, v_lease.lease_id,
        p_about => jsonb_build_object(
            'gate', p_gate_key, 'for_actor', p_for_actor, 'uses', p_uses, 'seconds', p_seconds,
            'reason', p_reason));
END
$$;
