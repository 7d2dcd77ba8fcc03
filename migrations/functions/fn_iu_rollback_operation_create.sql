-- grant: iu_app
-- Freezes what fn_iu_rollback_plan counted as an operation of kind rollback, and fences its actors:
-- until it has ended nothing is composed as them. Nothing is removed yet. For plans beyond what
-- fn_iu_rollback_apply takes, though a small one is done as well. Needs no gate.
--   the selectors to p_allowed_actors          as there; p_reason stands in the tombstones
--   p_rollback_operation_id to p_request_digest  as in fn_iu_operation_create
-- Locks all actors of the plan exclusively, so that none of them composes or is rolled back
-- meanwhile, and then reads again. Answers {"status": "ok" | "idempotent_replay", "operation_id"},
-- or a refusal: those of fn_iu_rollback_apply but rollback_blocked, idempotency_conflict, or
-- actor_rolling_back where another operation has fenced an actor of the plan.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_operation_create(
    p_of_actor text, p_operation_id uuid, p_event_id uuid, p_template text,
    p_composed_from timestamptz, p_composed_to timestamptz, p_plan_digest text,
    p_planned_at timestamptz, p_release_keys boolean, p_acknowledge_delivered boolean,
    p_reason text, p_allowed_actors text, p_rollback_operation_id uuid, p_idempotency_key text,
    p_request_digest text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command   constant text := 'apply_rollback';
    v_limit     constant integer := iu_core.fn_iu_rollback_limit(true);
    v_selection iu_core.iu_rollback_selection := iu_core.fn_iu_rollback_selection(
        p_of_actor, p_operation_id, p_event_id, p_template, p_composed_from, p_composed_to);
    v_answer    jsonb;
    v_ids       uuid[];
    v_gone      uuid[];
    v_actors    text[];
    v_now       timestamptz;
BEGIN
    v_answer := coalesce(
        iu_core.fn_iu_rollback_admit_plan(
            v_command, v_selection, p_plan_digest, p_planned_at, p_reason, p_allowed_actors,
            p_actor, p_principal, p_request_id),
        iu_core.fn_iu_operation_known(
            v_command, p_rollback_operation_id, p_idempotency_key, p_request_digest, p_actor,
            p_principal, p_request_id),
        iu_core.fn_iu_rollback_lock_actors(
            v_command, v_selection, v_limit, false, p_allowed_actors, p_actor, p_principal,
            p_request_id),
        -- Whoever has waited for the same request finds it now, before the fence that it has set.
        iu_core.fn_iu_operation_known(
            v_command, p_rollback_operation_id, p_idempotency_key, p_request_digest, p_actor,
            p_principal, p_request_id));
    IF v_answer IS NOT NULL THEN
        RETURN v_answer;
    END IF;

    v_now := iu_core.fn_iu_now();
    -- Whoever is not locked has composed since the first look, so it does not fit the plan.
    SELECT s.ids, s.actors INTO v_ids, v_actors
      FROM iu_core.fn_iu_rollback_select(v_selection, v_limit) AS s;
    v_actors := array_remove(v_actors || p_of_actor, NULL);
    v_answer := coalesce(
        iu_core.fn_iu_rollback_limits(
            v_command, v_ids, v_limit, v_actors, true, p_allowed_actors, p_actor, p_principal,
            p_request_id),
        iu_core.fn_iu_rollback_unfenced(v_command, v_actors, p_actor, p_principal, p_request_id));
    IF v_answer IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    v_gone := iu_core.fn_iu_rollback_gone(v_selection, v_ids, p_plan_digest, p_planned_at);
    IF v_gone IS NULL THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'plan_stale', NULL,
                                    p_actor, p_principal, p_request_id);
    END IF;

    v_answer := iu_core.fn_iu_operation_open(
        v_command, 'rollback', p_rollback_operation_id, p_idempotency_key, p_request_digest,
        cardinality(v_ids || v_gone),
        jsonb_build_object(
            'selectors', jsonb_strip_nulls(to_jsonb(v_selection) - 'template_ids'),
            'plan_digest', p_plan_digest, 'planned_at', p_planned_at,
            'release_keys', coalesce(p_release_keys, false),
            'acknowledge_delivered', coalesce(p_acknowledge_delivered, false)),
        p_reason, p_allowed_actors, p_actor, p_principal, p_request_id, v_now);
    IF v_answer IS NOT NULL THEN
        RETURN v_answer;
    END IF;
    INSERT INTO iu_core.iu_operation_item (operation_id, ordinal, instance_collection_id)
    SELECT p_rollback_operation_id, i.ordinal, i.id
      FROM unnest(v_ids || v_gone) WITH ORDINALITY AS i(id, ordinal);
    INSERT INTO iu_core.iu_actor_fence (actor, operation_id, fenced_at)
    SELECT DISTINCT a.actor, p_rollback_operation_id, v_now FROM unnest(v_actors) AS a(actor);
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object('status', 'ok', 'operation_id', p_rollback_operation_id),
        p_actor, p_principal, p_request_id, p_rollback_operation_id,
        jsonb_build_object('planned', cardinality(v_ids || v_gone), 'gone', cardinality(v_gone)),
        jsonb_build_object(
            'selectors', to_jsonb(v_selection) - 'template_ids', 'plan_digest', p_plan_digest,
            'release_keys', coalesce(p_release_keys, false),
            'acknowledge_delivered', coalesce(p_acknowledge_delivered, false), 'reason', p_reason));
END
$$;
