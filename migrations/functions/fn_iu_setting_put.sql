-- grant: iu_app
-- Sets one of the two settings that are no gates. Setting what is set already changes nothing.
-- Locks the setting's row. Answers {"status": "ok", "changed", "value", "at"}; refuses with
-- invalid_input, setting_not_found (which a gate's key is, too).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_setting_put(
    p_key text, p_value jsonb, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz;
    v_wrong   text := iu_core.fn_iu_setting_invalid(p_key, p_value);
    v_refused jsonb;
    v_before  jsonb;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input('set_setting',
        ARRAY['/value', '/reason', '/actor'],
        ARRAY[v_wrong, 'should be one line of 1 to 500 characters', 'should be an actor''s tag'],
        ARRAY[v_wrong IS NULL, iu_core.fn_iu_is_line(p_reason, 500), iu_core.fn_iu_is_actor(p_actor)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    PERFORM FROM iu_core.iu_core_config AS c
      WHERE c.config_key = p_key AND NOT c.is_write_gate
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN iu_core.fn_iu_refuse('set_setting', 'setting_not_found',
                                    jsonb_build_object('setting', p_key),
                                    p_actor, p_principal, p_request_id);
    END IF;
    SELECT c.config_value INTO v_before FROM iu_core.iu_core_config AS c WHERE c.config_key = p_key;
    v_now := iu_core.fn_iu_now();
    IF v_before <> p_value THEN
        UPDATE iu_core.iu_core_config AS c
           SET config_value = p_value, revision = c.revision + 1,
               updated_at = v_now, updated_by = p_actor, reason = p_reason
         WHERE c.config_key = p_key;
        PERFORM iu_core.fn_iu_config_note(
            p_key, 'set', jsonb_build_object('before', v_before, 'after', p_value), v_now,
            p_reason, p_actor, p_principal, p_request_id);
        IF p_key = 'iu_core.unknown_event_types' THEN
            PERFORM iu_core.fn_iu_event_rules_change();
        END IF;
    END IF;
    RETURN iu_core.fn_iu_done(
        'set_setting', jsonb_build_object(
            'status', 'ok', 'changed', v_before <> p_value, 'value', p_value, 'at', v_now),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object('setting', p_key, 'before', v_before, 'reason', p_reason));
END
$$;
