-- grant: iu_app
-- Lets a halted operation run on, with the items that a gate turned away first. Arguments, answers
-- and refusals are those of fn_iu_operation_cancel.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_resume(
    p_operation_id uuid, p_principal text, p_actor text, p_allowed_actors text, p_request_id uuid,
    p_reason text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
BEGIN
    RETURN coalesce(
        iu_core.fn_iu_operation_admit(
            'resume_operation', p_operation_id, NULL, ARRAY['halted'], p_reason, p_allowed_actors, p_actor,
            p_principal, p_request_id),
        iu_core.fn_iu_done(
            'resume_operation', iu_core.fn_iu_operation_change(
                p_operation_id, 'running', p_reason, p_actor, p_request_id),
            p_actor, p_principal, p_request_id, p_operation_id,
            p_about => jsonb_build_object('reason', p_reason)));
END
$$;
