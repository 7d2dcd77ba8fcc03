-- grant: owner only
-- What is wrong with a command about one gate before its state is looked at: the recorded refusal
-- (invalid_input, gate_not_found), or NULL.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_invalid(
    p_command text, p_gate_key text, p_reason text, p_actor text, p_principal text,
    p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_refused jsonb;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input(p_command,
        ARRAY['/reason', '/actor'],
        ARRAY['should be one line of 1 to 500 characters', 'should be an actor''s tag'],
        ARRAY[iu_core.fn_iu_is_line(p_reason, 500), iu_core.fn_iu_is_actor(p_actor)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    IF NOT EXISTS (SELECT FROM iu_core.iu_core_config AS c
                    WHERE c.config_key = p_gate_key AND c.is_write_gate) THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'gate_not_found',
                                    jsonb_build_object('gate', p_gate_key),
                                    p_actor, p_principal, p_request_id);
    END IF;
    RETURN NULL;
END
$$;
