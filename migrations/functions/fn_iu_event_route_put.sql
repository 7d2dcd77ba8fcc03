-- grant: iu_app
-- Makes a route (p_route_id NULL), or puts another in the place of one that is there. The change is
-- in force for every event that is taken after it: it waits for those that are being taken.
--   p_expected_revisions  of the route, that the author has seen; NULL: whichever
--   p_filter, p_suffix    CEL; NULL: every event of these types, the empty text
--   p_mapping             an object, parameter to CEL, as text; NULL: the event's data
--   p_allowed_actors      whom its maker may act as or read: fn_iu_actor_matches; NULL is everyone
-- Answers {"status": "ok", "route_id", "revision"}. Refuses with invalid_input,
-- event_route_not_found, precondition_failed, already_exists (another route has the key).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_route_put(
    p_route_id uuid, p_expected_revisions bigint[], p_route_key text, p_enabled boolean,
    p_pattern text, p_filter text, p_template text, p_suffix text, p_mapping text,
    p_emit_mode text, p_route_actor text, p_allowed_actors text, p_description text, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command  constant text :=
        CASE WHEN p_route_id IS NULL THEN 'create_event_route' ELSE 'put_event_route' END;
    v_refused  jsonb;
    v_now      timestamptz;
    v_route_id uuid;
    v_revision bigint;
BEGIN
    v_refused := iu_core.fn_iu_event_route_errors(
        v_command, p_route_key, p_pattern, p_filter, p_template, p_suffix, p_mapping, p_emit_mode,
        p_route_actor, p_description, p_reason, p_actor, p_principal, p_request_id);
    v_refused := coalesce(v_refused, iu_core.fn_iu_event_route_expect(
        v_command, p_route_id, p_expected_revisions, p_actor, p_principal, p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_now := iu_core.fn_iu_now();
    BEGIN
        IF p_route_id IS NULL THEN
            INSERT INTO iu_core.iu_sql_event_route
                   (route_key, enabled, event_type_pattern, filter, template, suffix, mapping,
                    emit_mode, actor, allowed_actors, principal, description, created_at,
                    updated_at, updated_by, reason)
            VALUES (p_route_key, coalesce(p_enabled, false), p_pattern, p_filter,
                    translate(p_template, '@', '/'), p_suffix, p_mapping::json, p_emit_mode,
                    p_route_actor, p_allowed_actors, p_principal, coalesce(p_description, ''),
                    v_now, v_now, p_actor, p_reason)
            RETURNING route_id, revision INTO v_route_id, v_revision;
        ELSE
            UPDATE iu_core.iu_sql_event_route AS r
               SET route_key = p_route_key, revision = r.revision + 1,
                   enabled = coalesce(p_enabled, false), event_type_pattern = p_pattern,
                   filter = p_filter, template = translate(p_template, '@', '/'),
                   suffix = p_suffix, mapping = p_mapping::json, emit_mode = p_emit_mode,
                   actor = p_route_actor, allowed_actors = p_allowed_actors,
                   principal = p_principal, description = coalesce(p_description, ''),
                   updated_at = v_now, updated_by = p_actor, reason = p_reason
             WHERE r.route_id = p_route_id
            RETURNING r.route_id, r.revision INTO v_route_id, v_revision;
        END IF;
    EXCEPTION WHEN unique_violation THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'already_exists',
            jsonb_build_object('key', p_route_key), p_actor, p_principal, p_request_id);
    END;
    PERFORM iu_core.fn_iu_event_rules_change();
    RETURN iu_core.fn_iu_done(
        v_command,
        jsonb_build_object('status', 'ok', 'route_id', v_route_id, 'revision', v_revision),
        p_actor, p_principal, p_request_id, v_route_id,
        p_about => jsonb_build_object(
            'route_key', p_route_key, 'enabled', coalesce(p_enabled, false),
            'event_type_pattern', p_pattern, 'filter', p_filter, 'template', p_template,
            'suffix', p_suffix, 'mapping', p_mapping, 'emit_mode', p_emit_mode,
            'route_actor', p_route_actor, 'reason', p_reason));
END
$$;
