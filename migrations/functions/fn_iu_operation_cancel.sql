-- grant: iu_app
-- Ends a running or halted operation: what was done stays, the rest is not attempted, and the fence
-- of a rollback is lifted. Waits for the chunk that is under way. One that is cancelled stays so.
--   p_allowed_actors   whom the caller may act as: fn_iu_actor_matches; NULL is everyone
--   p_reason           why; NULL and the empty text are none
-- Answers where it stands (fn_iu_operation_answer), or a refusal: invalid_input,
-- operation_not_found, actor_not_allowed, operation_state.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_cancel(
    p_operation_id uuid, p_principal text, p_actor text, p_allowed_actors text, p_request_id uuid,
    p_reason text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_answer jsonb := iu_core.fn_iu_operation_admit(
        'cancel_operation', p_operation_id, NULL, ARRAY['running', 'halted', 'cancelled'], p_reason,
        p_allowed_actors, p_actor, p_principal, p_request_id);
BEGIN
    IF v_answer IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    v_answer := iu_core.fn_iu_operation_answer(p_operation_id);
    IF v_answer ->> 'state' = 'cancelled' THEN
        RETURN iu_core.fn_iu_done(
            'cancel_operation', v_answer, p_actor, p_principal, p_request_id, p_operation_id,
            p_about => jsonb_build_object('reason', p_reason));
    END IF;
    PERFORM iu_core.fn_iu_operation_unfence(p_operation_id);
    RETURN iu_core.fn_iu_done(
        'cancel_operation', iu_core.fn_iu_operation_change(
            p_operation_id, 'cancelled', p_reason, p_actor, p_request_id),
        p_actor, p_principal, p_request_id, p_operation_id,
        p_about => jsonb_build_object('reason', p_reason));
END
$$;
