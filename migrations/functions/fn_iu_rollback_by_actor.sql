-- grant: iu_app
-- The one-step form: removes all that one actor composed and no one else's. Needs no gate.
--   p_of_actor        whose instances
--   p_dry_run         only says what it would remove; NULL is a dry run, too
--   p_reason          stands in the tombstones; NULL and the empty text are none
--   the others        as in fn_iu_rollback_apply; what was delivered can only be acknowledged there
-- Locks the actor exclusively, reads again and removes what is there then. Answers
-- {"status": "ok", "dry_run", "actor", "instances", "lineage_rows", "log_rows", "gone",
-- "blockers", ...}; gone were rolled back by others while it waited for the lock. Refusals:
-- invalid_input, actor_not_allowed, too_large, rollback_blocked.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_by_actor(
    p_of_actor text, p_dry_run boolean, p_release_keys boolean, p_reason text,
    p_allowed_actors text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command   constant text := 'rollback_by_actor';
    v_limit     constant integer := iu_core.fn_iu_rollback_limit(false);
    v_selection iu_core.iu_rollback_selection := iu_core.fn_iu_rollback_selection(
        p_of_actor, NULL, NULL, NULL, NULL, NULL);
    v_rollback  uuid := coalesce(p_request_id, gen_random_uuid());
    v_answer    jsonb := jsonb_build_object(
        'status', 'ok', 'dry_run', coalesce(p_dry_run, true), 'actor', p_of_actor, 'instances', 0,
        'lineage_rows', 0, 'log_rows', 0, 'gone', 0, 'blockers', '[]'::jsonb, 'keys_released', 0,
        'messages_cancelled', 0);
    v_refused   jsonb;
    v_seen      uuid[];
    v_ids       uuid[];
    v_done      jsonb;
BEGIN
    v_refused := coalesce(
        iu_core.fn_iu_invalid_input(v_command, ARRAY['/actor', '/reason'],
            ARRAY['should be an actor''s tag', 'should be one line of at most 500 characters'],
            ARRAY[iu_core.fn_iu_is_actor(p_of_actor),
                  coalesce(p_reason, '') = '' OR iu_core.fn_iu_is_line(p_reason, 500)],
            p_actor, p_principal, p_request_id),
        iu_core.fn_iu_rollback_admit(
            v_command, v_selection, p_allowed_actors, p_actor, p_principal, p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_seen := (iu_core.fn_iu_rollback_select(v_selection, v_limit)).ids;
    v_refused := iu_core.fn_iu_rollback_limits(
        v_command, v_seen, v_limit, '{}', true, p_allowed_actors, p_actor, p_principal,
        p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    IF coalesce(p_dry_run, true) THEN
        PERFORM iu_core.fn_iu_command_record_write(
            v_command, ARRAY['dry_run'], ARRAY['ok'], ARRAY[NULL::uuid], ARRAY[NULL::uuid],
            ARRAY[p_actor], ARRAY[p_principal], ARRAY[p_request_id],
            ARRAY[jsonb_build_object('actor', p_of_actor, 'instances', cardinality(v_seen))]);
        RETURN v_answer || iu_core.fn_iu_rollback_counts(v_seen);
    END IF;

    PERFORM iu_core.fn_iu_lock('actor', ARRAY[p_of_actor], false);
    v_done := iu_core.fn_iu_rollback_result(p_request_id);
    IF v_done IS NULL THEN
        v_ids := (iu_core.fn_iu_rollback_select(v_selection, v_limit)).ids;
        v_refused := iu_core.fn_iu_rollback_limits(
            v_command, v_ids, v_limit, '{}', true, p_allowed_actors, p_actor, p_principal,
            p_request_id);
        IF v_refused IS NOT NULL THEN
            RETURN v_refused;
        END IF;
        IF v_ids <> '{}' THEN
            v_refused := iu_core.fn_iu_rollback_remove(
                v_ids, v_rollback, coalesce(p_release_keys, false), false, coalesce(p_reason, ''),
                p_actor, iu_core.fn_iu_fact_time());
            IF v_refused IS NOT NULL THEN
                RETURN iu_core.fn_iu_refuse(v_command, 'rollback_blocked', v_refused,
                                            p_actor, p_principal, p_request_id);
            END IF;
        END IF;
        v_answer := v_answer || jsonb_build_object('gone', (
            SELECT count(*) FROM (SELECT unnest(v_seen) EXCEPT SELECT unnest(v_ids)) AS g));
        v_done := coalesce(iu_core.fn_iu_rollback_result(v_rollback), '{"deleted": 0}');
    END IF;
    v_answer := (v_answer || v_done) - 'deleted'
        || jsonb_build_object('instances', v_done -> 'deleted');
    RETURN iu_core.fn_iu_done(
        v_command, v_answer, p_actor, p_principal, p_request_id, v_rollback,
        jsonb_build_object('deleted', v_done -> 'deleted', 'gone', v_answer -> 'gone'),
        jsonb_build_object('release_keys', coalesce(p_release_keys, false), 'reason', p_reason));
END
$$;
