-- grant: iu_app
-- Makes an outbound route (p_route_id NULL), or puts another in the place of one that is there. COMMIT
-- this, and then call fn_iu_outbound_routes_drain, before saying that it is done: then one that is
-- enabled gets every message that is committed, and none from before; enabled again, none from in
-- between.
--   p_expected_revisions  of the route, that the author has seen; NULL: whichever
--   p_secrets             one or two whsec_ keys, the newer first; NULL: those that are there
-- Answers {"status": "ok", "route_id", "revision"}. Refuses with invalid_input,
-- outbound_route_not_found, precondition_failed, already_exists (another route has the name).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_outbound_route_put(
    p_route_id uuid, p_expected_revisions bigint[], p_route_name text, p_enabled boolean,
    p_pattern text, p_endpoint text, p_secrets text[], p_description text, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command  constant text :=
        CASE WHEN p_route_id IS NULL THEN 'create_outbound_route' ELSE 'put_outbound_route' END;
    v_enabled  constant boolean := coalesce(p_enabled, false);
    v_secrets  text[];
    v_refused  jsonb;
    v_now      timestamptz;
    v_route_id uuid;
    v_revision bigint;
BEGIN
    SELECT coalesce(p_secrets, r.secrets) INTO v_secrets
      FROM (SELECT) AS one
      LEFT JOIN iu_core.iu_outbound_route AS r ON r.route_id = p_route_id;
    v_refused := coalesce(
        iu_core.fn_iu_outbound_route_expect(
            v_command, p_route_id, p_expected_revisions, p_actor, p_principal, p_request_id),
        iu_core.fn_iu_outbound_route_errors(
            v_command, p_route_name, p_pattern, p_endpoint, v_secrets, p_description, p_reason,
            p_actor, p_principal, p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_now := iu_core.fn_iu_now();
    BEGIN
        IF p_route_id IS NULL THEN
            INSERT INTO iu_core.iu_outbound_route
                   (route_name, enabled, period, enabled_at, event_type_pattern, endpoint, secrets,
                    description, created_at, updated_at, updated_by, reason)
            VALUES (p_route_name, v_enabled, v_enabled::integer, CASE WHEN v_enabled THEN v_now END,
                    p_pattern, p_endpoint, v_secrets, coalesce(p_description, ''), v_now, v_now,
                    p_actor, p_reason)
            RETURNING route_id, revision INTO v_route_id, v_revision;
        ELSE
            UPDATE iu_core.iu_outbound_route AS r
               SET route_name = p_route_name, revision = r.revision + 1, enabled = v_enabled,
                   period = r.period + (v_enabled AND NOT r.enabled)::integer,
                   enabled_at = CASE WHEN v_enabled AND NOT r.enabled THEN v_now
                                     ELSE r.enabled_at END,
                   disabled_by_answer = CASE WHEN NOT v_enabled THEN r.disabled_by_answer END,
                   event_type_pattern = p_pattern, endpoint = p_endpoint,
                   secrets = coalesce(p_secrets, r.secrets),
                   description = coalesce(p_description, ''), updated_at = v_now,
                   updated_by = p_actor, reason = p_reason
             WHERE r.route_id = p_route_id
            RETURNING r.route_id, r.revision INTO v_route_id, v_revision;
        END IF;
    EXCEPTION WHEN unique_violation THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'already_exists',
            jsonb_build_object('key', p_route_name), p_actor, p_principal, p_request_id);
    END;
    RETURN iu_core.fn_iu_done(
        v_command,
        jsonb_build_object('status', 'ok', 'route_id', v_route_id, 'revision', v_revision),
        p_actor, p_principal, p_request_id, v_route_id,
        p_about => jsonb_build_object(
            'route_name', p_route_name, 'enabled', v_enabled, 'event_type_pattern', p_pattern,
            'endpoint', p_endpoint, 'secrets_replaced', p_secrets IS NOT NULL, 'reason', p_reason));
END
$$;
