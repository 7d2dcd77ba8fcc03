-- grant: iu_app
-- Takes a route away. What came of it keeps naming it, and its key is free again.
--   p_expected_revisions  of the route, that the author has seen; NULL: whichever
-- Answers {"status": "ok"}; refuses with invalid_input, event_route_not_found, precondition_failed.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_route_remove(
    p_route_id uuid, p_expected_revisions bigint[], p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command constant text := 'remove_event_route';
    v_now     timestamptz;
    v_refused jsonb;
BEGIN
    v_refused := coalesce(
        iu_core.fn_iu_invalid_input(v_command, ARRAY['/reason'],
            ARRAY['should be one line of 1 to 500 characters'],
            ARRAY[iu_core.fn_iu_is_line(p_reason, 500)], p_actor, p_principal, p_request_id),
        iu_core.fn_iu_event_route_expect(
            v_command, p_route_id, p_expected_revisions, p_actor, p_principal, p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    v_now := iu_core.fn_iu_now();
    UPDATE iu_core.iu_sql_event_route AS r
       SET enabled = false, revision = r.revision + 1, removed_at = v_now, updated_at = v_now,
           updated_by = p_actor, reason = p_reason
     WHERE r.route_id = p_route_id;
    PERFORM iu_core.fn_iu_event_rules_change();
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object('status', 'ok'), p_actor, p_principal, p_request_id, p_route_id,
        p_about => jsonb_build_object('route_id', p_route_id, 'reason', p_reason));
END
$$;
