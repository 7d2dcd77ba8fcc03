-- grant: iu_app
-- What a rollback of everything that the selectors name together would remove, and a digest by
-- which fn_iu_rollback_apply removes exactly that. Changes nothing and needs no gate.
--   p_of_actor                        whose instances
--   p_operation_id, p_event_id        of the operation or the event that composed them
--   p_template                        a UUID, a pinned key, or a family (all its versions)
--   p_composed_from, p_composed_to    from this moment on, before that one
-- NULL selects everything; one of the six is needed.
--   p_allowed_actors                  whom the caller may roll back: fn_iu_actor_matches; NULL all
-- Locks the actors shared: the plan waits for rollbacks that are under way, so that whatever is
-- rolled back from planned_at on was in it. Answers {"status": "ok", "instances", "lineage_rows",
-- "log_rows", "actors", "blockers", "plan_digest", "planned_at"}, or a refusal: invalid_input,
-- actor_not_allowed, template_collection_not_found, too_large.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_plan(
    p_of_actor text, p_operation_id uuid, p_event_id uuid, p_template text,
    p_composed_from timestamptz, p_composed_to timestamptz, p_allowed_actors text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command   constant text := 'plan_rollback';
    v_limit     constant integer := iu_core.fn_iu_rollback_limit(true);
    v_selection iu_core.iu_rollback_selection := iu_core.fn_iu_rollback_selection(
        p_of_actor, p_operation_id, p_event_id, p_template, p_composed_from, p_composed_to);
    v_refused   jsonb;
    v_ids       uuid[];
    v_actors    text[];
    v_now       timestamptz;
BEGIN
    v_refused := coalesce(
        iu_core.fn_iu_rollback_admit(
            v_command, v_selection, p_allowed_actors, p_actor, p_principal, p_request_id),
        iu_core.fn_iu_rollback_lock_actors(
            v_command, v_selection, v_limit, true, p_allowed_actors, p_actor, p_principal,
            p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_now := iu_core.fn_iu_now();
    SELECT s.ids, s.actors INTO v_ids, v_actors
      FROM iu_core.fn_iu_rollback_select(v_selection, v_limit) AS s;
    v_refused := iu_core.fn_iu_rollback_limits(
        v_command, v_ids, v_limit, v_actors, true, p_allowed_actors, p_actor, p_principal,
        p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    RETURN jsonb_build_object(
               'status', 'ok', 'actors', v_actors, 'planned_at', v_now,
               'plan_digest', iu_core.fn_iu_rollback_digest(v_ids))
           || iu_core.fn_iu_rollback_counts(v_ids);
END
$$;
