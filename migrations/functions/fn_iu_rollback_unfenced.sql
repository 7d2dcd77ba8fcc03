-- grant: owner only
-- Refuses with actor_rolling_back, recorded, when an operation has fenced one of these actors; NULL
-- when none is fenced. Ask under the actors' exclusive locks, in a later statement.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_unfenced(
    p_command text, p_actors text[], p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_fence iu_core.iu_actor_fence;
BEGIN
    SELECT * INTO v_fence
      FROM iu_core.iu_actor_fence AS f WHERE f.actor = ANY (p_actors) ORDER BY f.actor LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN iu_core.fn_iu_refuse(
        p_command, 'actor_rolling_back',
        jsonb_build_object('actor', v_fence.actor, 'operation_id', v_fence.operation_id),
        p_actor, p_principal, p_request_id);
END
$$;
