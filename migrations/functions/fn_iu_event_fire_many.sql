-- grant: iu_app
-- Fires routes for events that are stored: again where they were refused or left pending, where they
-- were only tried and are live now, or where what they composed was rolled back; and for the first
-- time where the event did not take the route before. Where something else came of it already nothing
-- is done, and it is answered as it is. Arrays of one length, as in fn_iu_event_intake_many, one
-- element per event and route.
--   p_dry_run  (NULL is one, too) changes nothing, and says what would become of them
--   p_actor, p_principal, p_request_id  who asked for it, and leaves a run of refire_events; NULL:
--              nobody, it is part of taking the events in
-- outcome and the other columns are those of fn_iu_event_fire; rules_changed where another edition
-- of the rules is in force, and nothing was done; not_found where there is no such event. fired says
-- whether this call has done it, or tried to; fired_at and firings are those that are stored.
-- Locks: event rules (shared), the events' rows (shared), the results' rows, then as composing does.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_fire_many(
    p_rules_revision bigint, p_event_ids uuid[], p_route_ids uuid[], p_reasons text[],
    p_templates text[], p_suffixes text[], p_actors text[], p_emit_modes text[], p_data text[],
    p_schema_digests text[], p_data_errors text[], p_allowed_actors text[], p_principals text[],
    p_request_ids uuid[], p_dry_run boolean, p_actor text DEFAULT NULL,
    p_principal text DEFAULT NULL, p_request_id uuid DEFAULT NULL)
RETURNS TABLE (
    ordinal integer, event_id uuid, route_id uuid, instance_collection_id uuid, outcome text,
    code text, template text, suffix text, details jsonb, fired boolean, fired_at timestamptz,
    firings integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    v_firings iu_core.iu_event_firing[];
    v_gone    jsonb;  -- instances
    v_tried   jsonb;  -- by event and route
BEGIN
    IF NOT iu_core.fn_iu_event_rules_hold(p_rules_revision) THEN
        RETURN QUERY
        SELECT u.place::integer, u.event_id, u.route_id, NULL::uuid, 'rules_changed'::text,
               NULL::text, NULL::text, NULL::text, NULL::jsonb, false, NULL::timestamptz,
               NULL::integer
          FROM unnest(p_event_ids, p_route_ids) WITH ORDINALITY AS u(event_id, route_id, place)
         ORDER BY u.place;
        RETURN;
    END IF;
    -- Whatever deletes old events waits, or is waited for: what came of one is deleted with it.
    PERFORM FROM iu_core.iu_event AS e
      WHERE e.event_id = ANY (p_event_ids)
      ORDER BY e.event_id
        FOR KEY SHARE;
    -- Whoever else fires them again waits.
    PERFORM FROM iu_core.iu_event_result AS r
      WHERE r.event_id = ANY (p_event_ids)
      ORDER BY r.event_id, r.route_id
        FOR NO KEY UPDATE;
    SELECT iu_core.fn_iu_rolled_back(array_agg(r.instance_collection_id)) INTO v_gone
      FROM iu_core.iu_event_result AS r
     WHERE r.event_id = ANY (p_event_ids) AND r.instance_collection_id IS NOT NULL;
    v_firings := ARRAY(
        SELECT ROW(u.event_id, e.event_type, u.route_id, p_request_ids[u.place],
                   p_reasons[u.place], p_templates[u.place], p_suffixes[u.place],
                   p_actors[u.place],
                   CASE WHEN p_dry_run IS NOT FALSE THEN 'dry_run' ELSE p_emit_modes[u.place] END,
                   p_data[u.place], p_schema_digests[u.place], p_data_errors[u.place],
                   p_allowed_actors[u.place], p_principals[u.place])::iu_core.iu_event_firing
          FROM unnest(p_event_ids, p_route_ids) WITH ORDINALITY AS u(event_id, route_id, place)
          JOIN iu_core.iu_event AS e ON e.event_id = u.event_id
          LEFT JOIN iu_core.iu_event_result AS r
                 ON r.event_id = u.event_id AND r.route_id = u.route_id
         WHERE r.outcome IS NULL OR r.outcome IN ('refused', 'pending')
            OR r.outcome = 'dry_run' AND p_emit_modes[u.place] = 'live'
            OR v_gone ? r.instance_collection_id::text
         ORDER BY u.place);
    IF v_firings <> '{}' THEN
        SELECT jsonb_object_agg(f.event_id || '/' || f.route_id, to_jsonb(f)) INTO v_tried
          FROM iu_core.fn_iu_event_fire(v_firings) AS f;
        IF p_dry_run IS FALSE THEN
            PERFORM iu_core.fn_iu_event_fired_again(v_tried);
        END IF;
    END IF;
    IF p_principal IS NOT NULL AND p_dry_run IS FALSE THEN
        PERFORM iu_core.fn_iu_done(
            'refire_events', '{"status": "ok"}', p_actor, p_principal, p_request_id, NULL,
            jsonb_build_object('routes', cardinality(p_route_ids), 'fired', cardinality(v_firings)),
            jsonb_build_object('event_ids', p_event_ids, 'route_ids', p_route_ids));
    END IF;
    RETURN QUERY
    SELECT u.place::integer, u.event_id, u.route_id, a.instance_collection_id,
           coalesce(a.outcome, 'not_found'), a.code, a.template, a.suffix, a.details,
           v_tried ? (u.event_id || '/' || u.route_id) IS TRUE, r.fired_at, r.firings
      FROM unnest(p_event_ids, p_route_ids) WITH ORDINALITY AS u(event_id, route_id, place)
      LEFT JOIN iu_core.iu_event_result AS r
             ON r.event_id = u.event_id AND r.route_id = u.route_id
     CROSS JOIN LATERAL jsonb_to_record(coalesce(
               v_tried -> (u.event_id || '/' || u.route_id), to_jsonb(r))) AS a(
               instance_collection_id uuid, outcome text, code text, template text, suffix text,
               details jsonb)
     ORDER BY u.place;
END
$$;
