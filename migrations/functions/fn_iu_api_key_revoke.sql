-- grant: iu_app
-- Revokes a key. Revoking a revoked key changes nothing and is no error. A process that has just
-- looked the key up may go on taking it for a moment (app.authentication says how long).
-- Answers {"status": "ok", "changed", "at"}; refuses with api_key_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_api_key_revoke(
    p_key_id text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz := iu_core.fn_iu_now();
    v_changed boolean;
BEGIN
    UPDATE iu_core.iu_api_key AS k
       SET revoked_at = v_now, revoked_by = p_principal
     WHERE k.key_id = p_key_id AND k.revoked_at IS NULL;
    v_changed := FOUND;
    IF NOT v_changed AND NOT EXISTS (SELECT FROM iu_core.iu_api_key AS k WHERE k.key_id = p_key_id) THEN
        RETURN iu_core.fn_iu_refuse('revoke_api_key', 'api_key_not_found',
                                    jsonb_build_object('key_id', p_key_id),
                                    p_actor, p_principal, p_request_id);
    END IF;
    RETURN iu_core.fn_iu_done(
        'revoke_api_key', jsonb_build_object('status', 'ok', 'changed', v_changed, 'at', v_now),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object('key_id', p_key_id));
END
$$;
