-- grant: iu_app
-- Gives back the keys of what was rolled back: the same events may compose again. The tombstones
-- stay. Needs no gate.
--   the selectors, p_allowed_actors   those of fn_iu_rollback_plan, of the instances as they were
--   p_reason                          why, stands in the tombstones
-- A key that is free already stays as it is. Answers {"status": "ok", "released", "released_at"},
-- or a refusal: invalid_input, actor_not_allowed, template_collection_not_found, too_large.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_release_keys(
    p_of_actor text, p_operation_id uuid, p_event_id uuid, p_template text,
    p_composed_from timestamptz, p_composed_to timestamptz, p_reason text, p_allowed_actors text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command   constant text := 'release_rollback_keys';
    v_limit     constant integer := iu_core.fn_iu_rollback_limit(false);
    v_selection iu_core.iu_rollback_selection := iu_core.fn_iu_rollback_selection(
        p_of_actor, p_operation_id, p_event_id, p_template, p_composed_from, p_composed_to);
    v_now       timestamptz := iu_core.fn_iu_now();
    v_refused   jsonb;
    v_ids       uuid[];
    v_actors    text[];
    v_released  bigint;
BEGIN
    v_refused := coalesce(
        iu_core.fn_iu_invalid_input(v_command, ARRAY['/reason', '/actor'],
            ARRAY['should be one line of 1 to 500 characters', 'should be an actor''s tag'],
            ARRAY[iu_core.fn_iu_is_line(p_reason, 500), iu_core.fn_iu_is_actor(p_actor)],
            p_actor, p_principal, p_request_id),
        iu_core.fn_iu_rollback_admit(
            v_command, v_selection, p_allowed_actors, p_actor, p_principal, p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_ids := iu_core.fn_iu_rollback_buried(v_selection, NULL, true, v_limit);
    SELECT array_agg(DISTINCT t.actor) INTO v_actors
      FROM iu_core.iu_instance_tombstone AS t
     WHERE t.instance_collection_id = ANY (v_ids) AND t.released_at IS NULL;
    v_refused := iu_core.fn_iu_rollback_limits(
        v_command, v_ids, v_limit, v_actors, false, p_allowed_actors, p_actor, p_principal,
        p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    -- A key has one tombstone that keeps it: as long as it does, nothing is composed under it.
    UPDATE iu_core.iu_instance_tombstone AS t
       SET released_at = v_now, released_by = p_actor, release_reason = p_reason
     WHERE t.instance_collection_id = ANY (v_ids) AND t.released_at IS NULL;
    GET DIAGNOSTICS v_released = ROW_COUNT;
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object('status', 'ok', 'released', v_released, 'released_at', v_now),
        p_actor, p_principal, p_request_id, NULL, jsonb_build_object('released', v_released),
        jsonb_build_object(
            'selectors', to_jsonb(v_selection) - 'template_ids', 'reason', p_reason));
END
$$;
