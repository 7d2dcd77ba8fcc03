-- grant: owner only
-- Locks an operation's row for a command, which waits for the chunk that is under way, and says what
-- stands against the command: a recorded refusal - invalid_input for the reason,
-- operation_not_found, actor_not_allowed, operation_state - or, for the service's own retry, told by
-- the request id, where the operation stands. NULL: go on.
--   p_kind  the operations that it is for; NULL is every kind
--   p_from  the states that it leads on from
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_admit(
    p_command text, p_operation_id uuid, p_kind text, p_from text[], p_reason text,
    p_allowed_actors text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_operation iu_core.iu_operation;
    v_refused   jsonb;
    v_code      text;
    v_details   jsonb;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input(
        p_command, ARRAY['/reason'], ARRAY['should be one line of at most 500 characters'],
        ARRAY[coalesce(p_reason, '') = '' OR iu_core.fn_iu_is_line(p_reason, 500)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    SELECT * INTO v_operation
      FROM iu_core.iu_operation AS o WHERE o.operation_id = p_operation_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        v_code := 'operation_not_found';
    ELSIF NOT iu_core.fn_iu_actor_matches(v_operation.actor, p_allowed_actors) THEN
        v_code := 'actor_not_allowed';
        v_details := jsonb_build_object('actor', v_operation.actor);
    ELSIF v_operation.change_request_id = p_request_id THEN
        RETURN iu_core.fn_iu_operation_answer(p_operation_id);
    ELSIF v_operation.state <> ALL (p_from) OR v_operation.kind <> p_kind THEN
        v_code := 'operation_state';
        v_details := jsonb_build_object('state', v_operation.state, 'allowed',
            CASE v_operation.state WHEN 'running' THEN '["cancelled"]'::jsonb
                                   WHEN 'halted' THEN '["running", "cancelled"]'
                                   WHEN 'completed' THEN
                                       CASE WHEN v_operation.refused + v_operation.failed > 0
                                                 AND v_operation.kind = 'instantiate'
                                            THEN '["running"]' ELSE '[]' END::jsonb
                                   ELSE '[]' END);
    ELSE
        RETURN NULL;
    END IF;
    RETURN iu_core.fn_iu_refuse(p_command, v_code, v_details, p_actor, p_principal, p_request_id);
END
$$;
