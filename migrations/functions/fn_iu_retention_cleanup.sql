-- grant: iu_app
-- Deletes what the retention policies let go, as much as one call does (fn_iu_retention_limit), or says
-- what it would delete.
--   p_dry_run      only says so, needs no gate and deletes nothing; NULL is a dry run, too
--   p_plan_digest, p_planned_at
--                  of an earlier answer: exactly what that one named is deleted, and not what has become
--                  old enough since; NULL: what may go now
--   p_reason       why; NULL and the empty text are none
-- Answers {"status": "ok", "dry_run", "planned_at", "plan_digest", "complete", "begun_at", "begun_by",
-- "rows_eligible", "rows_deleted", "segments_retired", "targets"}, a target for each policy
-- (fn_iu_retention_take): while it is not complete, the same plan is to be sent again. Several calls may
-- carry on one plan, one after the other: each row is deleted once, and rows_gone are those that the
-- others have deleted. Refusals: invalid_input, retention_gate_closed, plan_stale (rows that the plan
-- named are not those that there are, or a policy was changed since).
-- Locks: the gate (shared), retention, the policies' rows (shared), audit, then the rows.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_cleanup(
    p_dry_run boolean, p_plan_digest text, p_planned_at timestamptz, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command constant text := 'cleanup_retention';
    v_is_dry  constant boolean := coalesce(p_dry_run, true);
    v_refused jsonb;
    v_closed  text;
    v_leases  uuid[];
    v_begun   jsonb;
    v_plan    jsonb;
    v_plan_id uuid;
    v_done    jsonb;
    v_answer  jsonb;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input(v_command,
        ARRAY['/plan_digest', '/planned_at', '/reason', '/actor'],
        ARRAY['should be 64 hex digits', 'should come with plan_digest, and plan_digest with it',
              'should be one line of at most 500 characters', 'should be an actor''s tag'],
        ARRAY[p_plan_digest IS NULL OR p_plan_digest ~ '^[0-9a-f]{64}$',
              (p_plan_digest IS NULL) = (p_planned_at IS NULL),
              coalesce(p_reason, '') = '' OR iu_core.fn_iu_is_line(p_reason, 500),
              iu_core.fn_iu_is_actor(p_actor)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    IF NOT v_is_dry THEN
        SELECT a.closed, a.lease_ids INTO v_closed, v_leases
          FROM iu_core.fn_iu_gate_admit(ARRAY['iu_core.retention_enabled'], p_actor) AS a;
        IF v_closed IS NOT NULL THEN
            RETURN iu_core.fn_iu_refuse(v_command, iu_core.fn_iu_gate_code(v_closed),
                jsonb_build_object('gate', v_closed), p_actor, p_principal, p_request_id);
        END IF;
        PERFORM iu_core.fn_iu_lock('retention', ARRAY['cleanup'], false);
        -- Once a change of a policy is answered, nothing goes by the one before.
        PERFORM FROM iu_core.iu_core_retention_policy AS p ORDER BY p.target FOR SHARE;
    END IF;

    IF p_plan_digest IS NULL THEN
        v_plan := iu_core.fn_iu_retention_plan(iu_core.fn_iu_now());
    ELSE
        v_begun := iu_core.fn_iu_retention_begun(md5(p_plan_digest)::uuid, p_request_id);
        IF v_begun -> 'answer' <> 'null' THEN
            RETURN '{"status": "ok"}'::jsonb || (v_begun -> 'answer');
        ELSIF v_begun IS NOT NULL THEN
            v_plan := v_begun -> 'plan';
        ELSIF p_planned_at <= iu_core.fn_iu_now() THEN
            v_plan := iu_core.fn_iu_retention_plan(p_planned_at);
        END IF;
        IF (v_plan ->> 'plan_digest' = p_plan_digest
            AND (v_plan ->> 'planned_at')::timestamptz = p_planned_at
            AND NOT EXISTS (
                SELECT FROM jsonb_to_recordset(v_plan -> 'targets')
                            AS t(target text, enabled boolean, keep_days integer)
                  LEFT JOIN iu_core.iu_core_retention_policy AS p ON p.target = t.target
                 WHERE (p.enabled, p.keep_days) IS DISTINCT FROM (t.enabled, t.keep_days))
           ) IS NOT TRUE THEN
            RETURN iu_core.fn_iu_refuse(v_command, 'plan_stale', NULL,
                                        p_actor, p_principal, p_request_id);
        END IF;
    END IF;

    v_plan_id := md5(v_plan ->> 'plan_digest')::uuid;
    v_done := iu_core.fn_iu_retention_take(
        v_plan, v_plan_id, v_begun -> 'deleted',
        CASE WHEN v_is_dry THEN 0 ELSE iu_core.fn_iu_retention_limit(false) END);
    v_answer := jsonb_build_object(
        'status', 'ok', 'dry_run', v_is_dry, 'planned_at', v_plan -> 'planned_at',
        'plan_digest', v_plan -> 'plan_digest', 'complete', v_done -> 'complete',
        'begun_at', v_begun -> 'begun_at', 'begun_by', v_begun -> 'begun_by',
        'rows_eligible', (SELECT sum((t ->> 'rows_eligible')::bigint)
                            FROM jsonb_array_elements(v_plan -> 'targets') AS t),
        'rows_deleted', v_done -> 'rows',
        'segments_retired', (SELECT coalesce(jsonb_agg(k::bigint ORDER BY k::bigint), '[]')
                               FROM jsonb_object_keys(v_done -> 'retired') AS k),
        'targets', v_done -> 'targets');
    IF v_is_dry THEN
        PERFORM iu_core.fn_iu_command_record_write(
            v_command, ARRAY['dry_run'], ARRAY['ok'], ARRAY[v_plan_id], ARRAY[NULL::uuid],
            ARRAY[p_actor], ARRAY[p_principal], ARRAY[p_request_id], ARRAY[v_answer - 'status']);
        RETURN v_answer;
    END IF;
    v_answer := iu_core.fn_iu_done(
        v_command, v_answer || jsonb_build_object('lease_ids', v_leases),
        p_actor, p_principal, p_request_id, v_plan_id, v_done -> 'counts',
        jsonb_build_object(
            'reason', nullif(p_reason, ''), 'retired', nullif(v_done -> 'retired', '{}'),
            'plan', CASE WHEN v_begun IS NULL THEN v_plan END));
    -- What was tried and is forgotten is not counted any more. Counters come last.
    PERFORM iu_core.fn_iu_counter_add(
        array_agg(t.key::uuid), array_agg('dry_run'::text), array_agg(-t.value::bigint),
        array_agg(0::bigint))
       FROM jsonb_each_text(v_done -> 'tried') AS t
     HAVING count(*) > 0;
    RETURN v_answer;
END
$$;
