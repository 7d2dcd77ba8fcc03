-- grant: iu_app
-- Says how long a target is kept, and whether anything of it is deleted at all. What is so already changes
-- nothing. Deletes nothing, and so needs no gate. Locks the policy's row, for which a cleanup that is
-- deleting is waited for. Answers {"status": "ok", "changed", "target"}; refuses with invalid_input,
-- retention_policy_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_policy_put(
    p_target text, p_keep_days integer, p_enabled boolean, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command constant text := 'put_retention_policy';
    v_refused jsonb;
    v_policy  iu_core.iu_core_retention_policy;
    v_changes boolean;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input(v_command,
        ARRAY['/keep_days', '/enabled', '/reason', '/actor'],
        ARRAY['should be 1 to 36500', 'should be true or false',
              'should be one line of 1 to 500 characters', 'should be an actor''s tag'],
        ARRAY[p_keep_days BETWEEN 1 AND 36500, p_enabled IS NOT NULL,
              iu_core.fn_iu_is_line(p_reason, 500), iu_core.fn_iu_is_actor(p_actor)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    SELECT p.* INTO v_policy
      FROM iu_core.iu_core_retention_policy AS p WHERE p.target = p_target
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'retention_policy_not_found',
                                    jsonb_build_object('target', p_target),
                                    p_actor, p_principal, p_request_id);
    END IF;
    v_changes := (v_policy.keep_days, v_policy.enabled) <> (p_keep_days, p_enabled);
    IF v_changes THEN
        UPDATE iu_core.iu_core_retention_policy AS p
           SET keep_days = p_keep_days, enabled = p_enabled, revision = p.revision + 1,
               updated_at = iu_core.fn_iu_now(), updated_by = p_actor, reason = p_reason
         WHERE p.target = p_target;
    END IF;
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object('status', 'ok', 'changed', v_changes, 'target', p_target),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object(
            'keep_days', p_keep_days, 'enabled', p_enabled, 'reason', p_reason,
            'before', jsonb_build_object('keep_days', v_policy.keep_days,
                                         'enabled', v_policy.enabled)));
END
$$;
