-- grant: owner only
-- Leads an operation that the caller has locked into another state, which no runner holds then, and
-- writes down who asked for it and why. Answers where it stands.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_change(
    p_operation_id uuid, p_state text, p_reason text, p_actor text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now timestamptz := iu_core.fn_iu_now();
BEGIN
    UPDATE iu_core.iu_operation AS o
       SET state = p_state,
           halted_code = NULL,
           halted_details = NULL,
           runner_id = NULL,
           runner_until = NULL,
           finished_at = CASE WHEN p_state = 'cancelled' THEN v_now END,
           changed_by = p_actor,
           change_reason = coalesce(p_reason, ''),
           change_request_id = p_request_id,
           updated_at = v_now,
           revision = o.revision + 1
     WHERE o.operation_id = p_operation_id;
    RETURN iu_core.fn_iu_operation_answer(p_operation_id);
END
$$;
