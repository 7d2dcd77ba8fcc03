-- grant: iu_app
-- What keeps messages inside, in three layers of which each is enough: the lanes of the types, the
-- routes, and the gate with the setting of live routes. internal_only_holds: nothing may leave, since
-- there is no type that is live, has a route that is enabled and live, and finds the gate open. A
-- lease opens the gate, too. A pattern that matches a registered type, or none yet, counts as keyed.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_boundary()
RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
    WITH lanes AS (
        SELECT coalesce(jsonb_agg(t.event_type ORDER BY t.event_type), '[]') AS live
          FROM iu_core.event_type_registry AS t
         WHERE t.delivery_lane = 'live'
    ), routes AS (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'route_id', r.route_id, 'name', r.route_name, 'enabled', r.enabled,
                   'event_type', r.event_type_pattern) ORDER BY r.route_name), '[]') AS keyed,
               coalesce(bool_or(r.enabled), false) AS any_enabled
          FROM iu_core.iu_outbound_route AS r
         WHERE r.removed_at IS NULL
    ), gate AS (
        SELECT iu_core.fn_iu_gate_is_open(
                   'iu_core.delivery_enabled', 'iu-core-delivery', iu_core.fn_iu_now()) AS is_open,
               (SELECT c.config_value FROM iu_core.iu_core_config AS c
                 WHERE c.config_key = 'iu_core.delivery_live_routes') AS live_routes
    ), ways AS (
        SELECT count(*) AS open
          FROM iu_core.event_type_registry AS t
          JOIN iu_core.iu_outbound_route AS r
            ON iu_core.fn_iu_matches_type(t.event_type, r.event_type_pattern)
         CROSS JOIN gate AS g
         WHERE t.delivery_lane = 'live' AND r.enabled AND g.is_open AND g.live_routes ? r.route_name
    )
    SELECT jsonb_build_object(
               'internal_only_holds', w.open = 0,
               'lanes', jsonb_build_object('closed', l.live = '[]', 'live', l.live),
               'routes', jsonb_build_object('closed', NOT r.any_enabled, 'keyed', r.keyed),
               'gate', jsonb_build_object(
                   'closed', NOT g.is_open OR g.live_routes = '[]',
                   'delivery_enabled', g.is_open, 'delivery_live_routes', g.live_routes),
               'on_the_wire', iu_core.fn_iu_delivery_on_the_wire(),
               'pending', (SELECT count(*)
                             FROM iu_core.iu_route_delivery AS d
                             JOIN iu_core.iu_outbound_route AS r
                               ON r.route_id = d.route_id AND r.period = d.period
                            WHERE d.state = 'pending' AND r.enabled))
      FROM lanes AS l, routes AS r, gate AS g, ways AS w
$$;
