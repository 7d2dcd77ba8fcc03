-- grant: owner only
-- Locks the actors of a selection until the transaction ends, by a first look at whose instances
-- these are; of a named actor it needs none. Answers NULL, or the recorded refusal of
-- fn_iu_rollback_limits. What is there is read again by the caller, in a later statement, and held
-- against the same limits.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_lock_actors(
    p_command text, p_selection iu_core.iu_rollback_selection, p_limit integer, p_shared boolean,
    p_allowed_actors text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_actors  text[] := ARRAY[p_selection.actor];
    v_ids     uuid[];
    v_refused jsonb;
BEGIN
    IF p_selection.actor IS NULL THEN
        SELECT s.ids, s.actors INTO v_ids, v_actors
          FROM iu_core.fn_iu_rollback_select(p_selection, p_limit) AS s;
        v_refused := iu_core.fn_iu_rollback_limits(
            p_command, v_ids, p_limit, v_actors, true, p_allowed_actors, p_actor, p_principal,
            p_request_id);
        IF v_refused IS NOT NULL THEN
            RETURN v_refused;
        END IF;
    END IF;
    PERFORM iu_core.fn_iu_lock('actor', v_actors, p_shared);
    RETURN NULL;
END
$$;
