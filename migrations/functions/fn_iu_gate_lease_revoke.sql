-- grant: iu_app
-- Ends one lease before its time. Revoking one that is over already changes nothing and is no
-- error. COMMIT this, and then call fn_iu_gate_drain, before saying that the lease is over.
-- Locks the lease's row; composers who pay with a limited lease hold it while they compose. The
-- gate's row is not locked, so that a closing need not wait for them here.
-- Answers {"status": "ok", "changed", "at"}; refuses with invalid_input, gate_not_found,
-- lease_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_lease_revoke(
    p_gate_key text, p_lease_id uuid, p_reason text, p_actor text, p_principal text,
    p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz;
    v_refused jsonb;
    v_changed boolean;
BEGIN
    v_refused := iu_core.fn_iu_gate_invalid('revoke_lease', p_gate_key, p_reason, p_actor,
                                            p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    PERFORM FROM iu_core.iu_gate_lease AS l
      WHERE l.lease_id = p_lease_id AND l.gate_key = p_gate_key
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN iu_core.fn_iu_refuse('revoke_lease', 'lease_not_found',
                                    jsonb_build_object('gate', p_gate_key, 'lease_id', p_lease_id),
                                    p_actor, p_principal, p_request_id);
    END IF;
    v_now := iu_core.fn_iu_now();
    UPDATE iu_core.iu_gate_lease AS l
       SET revoked_at = v_now, revoked_by = p_actor
      FROM iu_core.iu_core_config AS c
     WHERE l.lease_id = p_lease_id AND c.config_key = l.gate_key
       AND l.epoch = c.lease_epoch AND l.revoked_at IS NULL
       AND l.expires_at > v_now AND l.uses_left IS DISTINCT FROM 0;
    v_changed := FOUND;
    IF v_changed THEN
        PERFORM iu_core.fn_iu_config_note(
            p_gate_key, 'revoke_lease', jsonb_build_object('lease_id', p_lease_id), v_now,
            p_reason, p_actor, p_principal, p_request_id);
    END IF;
    RETURN iu_core.fn_iu_done(
        'revoke_lease', jsonb_build_object('status', 'ok', 'changed', v_changed, 'at', v_now),
        p_actor, p_principal, p_request_id, p_lease_id,
        p_about => jsonb_build_object(
            'gate', p_gate_key, 'lease_id', p_lease_id, 'reason', p_reason));
END
$$;
