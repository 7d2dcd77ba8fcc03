-- grant: iu_app
-- Lets the items of a completed or halted operation that were refused or failed be attempted again:
-- they wait like new ones, and the operation runs. With none of them nothing changes. Only where
-- instances are made: what a rollback could not remove needs a new plan. Arguments, answers and
-- refusals are those of fn_iu_operation_cancel.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_retry_failed(
    p_operation_id uuid, p_principal text, p_actor text, p_allowed_actors text, p_request_id uuid,
    p_reason text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_answer jsonb := iu_core.fn_iu_operation_admit(
        'retry_failed_operation', p_operation_id, 'instantiate', ARRAY['completed', 'halted'], p_reason,
        p_allowed_actors, p_actor, p_principal, p_request_id);
BEGIN
    IF v_answer IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    UPDATE iu_core.iu_operation_item AS i
       SET outcome = NULL, code = NULL, details = NULL, attempted_at = NULL
     WHERE i.operation_id = p_operation_id AND i.outcome IN ('refused', 'failed');
    IF NOT FOUND THEN
        RETURN iu_core.fn_iu_done(
            'retry_failed_operation', iu_core.fn_iu_operation_answer(p_operation_id), p_actor,
            p_principal, p_request_id, p_operation_id,
            p_about => jsonb_build_object('reason', p_reason));
    END IF;
    -- With the state, for an operation with something left is not completed.
    UPDATE iu_core.iu_operation AS o
       SET not_attempted = o.not_attempted + o.refused + o.failed, refused = 0, failed = 0,
           next_ordinal = 1, state = 'running', finished_at = NULL, halted_code = NULL,
           halted_details = NULL
     WHERE o.operation_id = p_operation_id;
    RETURN iu_core.fn_iu_done(
        'retry_failed_operation', iu_core.fn_iu_operation_change(
            p_operation_id, 'running', p_reason, p_actor, p_request_id),
        p_actor, p_principal, p_request_id, p_operation_id,
        p_about => jsonb_build_object('reason', p_reason));
END
$$;
