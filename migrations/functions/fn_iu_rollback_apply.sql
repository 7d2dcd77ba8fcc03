-- grant: iu_app
-- Removes exactly what fn_iu_rollback_plan counted, or nothing. Needs no gate.
--   the selectors, p_allowed_actors   as there
--   p_plan_digest, p_planned_at       from the plan's answer
--   p_release_keys                    lets the same events compose again; NULL keeps the keys
--   p_acknowledge_delivered           rolls back also what a message has told the outside of;
--                                     NULL does not
--   p_reason                          stands in the tombstones
--   p_request_id                      names the rollback; with it the caller's own retry is told
--                                     what the first attempt did. NULL: it has no retry
-- Locks all actors of the plan exclusively, so that none of them composes or is rolled back
-- meanwhile, and then reads again. Answers {"status": "ok", "planned", "deleted", "gone", ...},
-- where gone were rolled back by others since the plan and deleted + gone = planned; or a refusal:
-- invalid_input, actor_not_allowed, template_collection_not_found, too_large, plan_stale,
-- rollback_blocked with blockers. What is too large here, fn_iu_rollback_operation_create takes.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_apply(
    p_of_actor text, p_operation_id uuid, p_event_id uuid, p_template text,
    p_composed_from timestamptz, p_composed_to timestamptz, p_plan_digest text,
    p_planned_at timestamptz, p_release_keys boolean, p_acknowledge_delivered boolean,
    p_reason text, p_allowed_actors text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command   constant text := 'apply_rollback';
    v_limit     constant integer := iu_core.fn_iu_rollback_limit(false);
    v_selection iu_core.iu_rollback_selection := iu_core.fn_iu_rollback_selection(
        p_of_actor, p_operation_id, p_event_id, p_template, p_composed_from, p_composed_to);
    v_rollback  uuid := coalesce(p_request_id, gen_random_uuid());
    v_refused   jsonb;
    v_ids       uuid[];
    v_gone      uuid[];
    v_actors    text[];
    v_done      jsonb;
BEGIN
    v_refused := coalesce(
        iu_core.fn_iu_rollback_admit_plan(
            v_command, v_selection, p_plan_digest, p_planned_at, p_reason, p_allowed_actors,
            p_actor, p_principal, p_request_id),
        iu_core.fn_iu_rollback_lock_actors(
            v_command, v_selection, v_limit, false, p_allowed_actors, p_actor, p_principal,
            p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_done := iu_core.fn_iu_rollback_result(p_request_id);
    IF v_done IS NOT NULL THEN
        v_gone := iu_core.fn_iu_rollback_buried(
            v_selection, p_planned_at, false, iu_core.fn_iu_rollback_limit(true));
        RETURN v_done || jsonb_build_object(
            'status', 'ok', 'planned', cardinality(v_gone),
            'gone', cardinality(v_gone) - (v_done ->> 'deleted')::integer);
    END IF;

    -- Whoever is not locked has composed since the first look, so it does not fit the plan.
    SELECT s.ids, s.actors INTO v_ids, v_actors
      FROM iu_core.fn_iu_rollback_select(v_selection, v_limit) AS s;
    v_refused := iu_core.fn_iu_rollback_limits(
        v_command, v_ids, v_limit, v_actors, true, p_allowed_actors, p_actor, p_principal,
        p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    v_gone := iu_core.fn_iu_rollback_gone(v_selection, v_ids, p_plan_digest, p_planned_at);
    IF v_gone IS NULL THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'plan_stale', NULL,
                                    p_actor, p_principal, p_request_id);
    END IF;
    IF v_ids <> '{}' THEN
        v_refused := iu_core.fn_iu_rollback_remove(
            v_ids, v_rollback, coalesce(p_release_keys, false),
            coalesce(p_acknowledge_delivered, false), p_reason, p_actor, iu_core.fn_iu_fact_time());
        IF v_refused IS NOT NULL THEN
            RETURN iu_core.fn_iu_refuse(v_command, 'rollback_blocked', v_refused,
                                        p_actor, p_principal, p_request_id);
        END IF;
    END IF;
    v_done := jsonb_build_object(
                  'status', 'ok', 'planned', cardinality(v_ids || v_gone),
                  'gone', cardinality(v_gone), 'deleted', 0, 'lineage_rows', 0, 'log_rows', 0,
                  'keys_released', 0, 'messages_cancelled', 0)
              || coalesce(iu_core.fn_iu_rollback_result(v_rollback), '{}');
    RETURN iu_core.fn_iu_done(
        v_command, v_done, p_actor, p_principal, p_request_id, v_rollback,
        jsonb_build_object('planned', v_done -> 'planned', 'deleted', v_done -> 'deleted',
                           'gone', v_done -> 'gone'),
        jsonb_build_object(
            'selectors', to_jsonb(v_selection) - 'template_ids', 'plan_digest', p_plan_digest,
            'release_keys', coalesce(p_release_keys, false),
            'acknowledge_delivered', coalesce(p_acknowledge_delivered, false), 'reason', p_reason));
END
$$;
