-- grant: owner only
-- Whether a caller may roll back what was selected, and all of it at once: the recorded refusal,
-- or NULL when so. actor_not_allowed when some of it is another's (whose, is not the caller's to
-- know); too_large beyond p_limit instances or, when p_locks says that the actors will be locked,
-- beyond 64 of them: more would exhaust the server's lock table.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_limits(
    p_command text, p_ids uuid[], p_limit integer, p_actors text[], p_locks boolean,
    p_allowed_actors text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_code    text;
    v_details jsonb;
BEGIN
    IF EXISTS (SELECT FROM unnest(p_actors) AS a(actor)
                WHERE NOT iu_core.fn_iu_actor_matches(a.actor, p_allowed_actors)) THEN
        v_code := 'actor_not_allowed';
    ELSIF cardinality(p_ids) > p_limit THEN
        v_code := 'too_large';
        v_details := jsonb_build_object('counted', 'instances', 'limit', p_limit);
    ELSIF p_locks AND cardinality(p_actors) > 64 THEN
        v_code := 'too_large';
        v_details := jsonb_build_object('counted', 'actors', 'limit', 64);
    ELSE
        RETURN NULL;
    END IF;
    RETURN iu_core.fn_iu_refuse(p_command, v_code, v_details, p_actor, p_principal, p_request_id);
END
$$;
