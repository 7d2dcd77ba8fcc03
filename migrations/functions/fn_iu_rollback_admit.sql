-- grant: owner only
-- What can be said of a selection before anything is selected: the recorded refusal, or NULL when
-- nothing stands against it. invalid_input for malformed selectors, and for none at all, which
-- would select everything; actor_not_allowed for a named actor who is not among p_allowed_actors
-- (fn_iu_actor_matches; NULL is everyone); template_collection_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_admit(
    p_command text, p_selection iu_core.iu_rollback_selection, p_allowed_actors text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_refused jsonb;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input(p_command,
        ARRAY['/selectors', '/selectors/actor', '/selectors/template', '/selectors/composed_to'],
        ARRAY['should name at least one selector', 'should be an actor''s tag',
              'should be a collection''s UUID, a key such as tpl:wf:onboarding/v2, '
              'or a family such as tpl:wf:onboarding',
              'should be later than composed_from'],
        ARRAY[num_nonnulls(p_selection.actor, p_selection.operation_id, p_selection.event_id,
                           p_selection.template, p_selection.composed_from,
                           p_selection.composed_to) > 0,
              p_selection.actor IS NULL OR iu_core.fn_iu_is_actor(p_selection.actor),
              p_selection.template IS NULL OR p_selection.template ~
                  '^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|'
                  'tpl:[a-z0-9-]+:[a-z0-9-]+([/@]v[1-9][0-9]{0,8})?)$',
              num_nulls(p_selection.composed_from, p_selection.composed_to) > 0
                  OR p_selection.composed_from < p_selection.composed_to],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    IF p_selection.actor IS NOT NULL
       AND NOT iu_core.fn_iu_actor_matches(p_selection.actor, p_allowed_actors) THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'actor_not_allowed',
                                    jsonb_build_object('actor', p_selection.actor),
                                    p_actor, p_principal, p_request_id);
    END IF;
    IF p_selection.template IS NOT NULL AND p_selection.template_ids = '{}' THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'template_collection_not_found',
                                    jsonb_build_object('template', p_selection.template),
                                    p_actor, p_principal, p_request_id);
    END IF;
    RETURN NULL;
END
$$;
