-- grant: owner only
-- What can be said of applying a plan before anything is selected: the recorded refusal, or NULL.
-- Refusals are those of fn_iu_rollback_admit, and invalid_input for the plan and the reason.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_admit_plan(
    p_command text, p_selection iu_core.iu_rollback_selection, p_plan_digest text,
    p_planned_at timestamptz, p_reason text, p_allowed_actors text, p_actor text,
    p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN coalesce(
        iu_core.fn_iu_invalid_input(p_command, ARRAY['/plan_digest', '/planned_at', '/reason'],
            ARRAY['should be 64 lower-case hex digits', 'should be the time of the plan',
                  'should be one line of 1 to 500 characters'],
            ARRAY[p_plan_digest ~ '^[0-9a-f]{64}$', p_planned_at IS NOT NULL,
                  iu_core.fn_iu_is_line(p_reason, 500)],
            p_actor, p_principal, p_request_id),
        iu_core.fn_iu_rollback_admit(
            p_command, p_selection, p_allowed_actors, p_actor, p_principal, p_request_id));
END
$$;
