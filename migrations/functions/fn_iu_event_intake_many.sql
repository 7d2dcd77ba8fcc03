-- grant: iu_app
-- Takes events in and fires the routes that they take, in one transaction: one answer per event, in
-- ordinal order, each with its own outcome. The service has judged them by the rules of an edition;
-- where another one is in force by now every status is rules_changed, and nothing was done.
-- Of each event, arrays of one length:
--   p_event_ids        UUIDv5 of source and id (docs/events.md)
--   p_sources, p_ids, p_types, p_depths
--   p_contents         what makes it the same event, RFC 8785 text; p_travelled: the other attributes
--   p_inert            of an unknown type: it is stored, and fires nothing
--   p_channels         where it came from: http, event-source:<name>, nats, kafka, rabbitmq
--   p_not_matched      routes of its type that it does not take: see iu_event; NULL: none
--   p_refusals         why the rules turn it away: {"code", members}; NULL: they do not
--   p_actors, p_allowed_actors, p_principals, p_request_ids
--                      as in fn_iu_auto_instantiate_many, of whoever sent it
-- Of each route that an event takes, in the order of the events:
--   p_of               the event's ordinal
--   p_route_ids, p_reasons, and what fn_iu_auto_instantiate_many asks for: p_templates, p_suffixes,
--   p_route_actors, p_emit_modes, p_data, p_schema_digests, p_data_errors, p_route_allowed (whose
--   work the route's maker may read) and p_route_principals; p_data NULL: it is more than one call
--   may carry, and not fired yet
-- status is accepted (stored now, or by this request's first try), known, rules_changed, or a
-- refusal's code with its members in details. Checks: known or conflict, the intake's gate, p_refusals.
-- A closed gate of composing refuses nothing here: the event is stored with its routes' refusals,
-- and fired again later (fn_iu_event_fire_many). A route whose data the orchestrator could not judge,
-- or that was not fired yet, is pending, and to be fired at once. What was taken leaves one run for
-- each actor, and refused events one each, in the command record.
-- Locks: event rules (shared), gates, actors, families, then instance keys.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_intake_many(
    p_rules_revision bigint, p_event_ids uuid[], p_sources text[], p_ids text[], p_types text[],
    p_depths integer[], p_contents text[], p_travelled text[], p_inert boolean[], p_channels text[],
    p_not_matched text[], p_refusals text[], p_actors text[], p_allowed_actors text[],
    p_principals text[], p_request_ids uuid[],
    p_of integer[], p_route_ids uuid[], p_reasons text[], p_templates text[], p_suffixes text[],
    p_route_actors text[], p_emit_modes text[], p_data text[], p_schema_digests text[],
    p_data_errors text[], p_route_allowed text[], p_route_principals text[])
RETURNS TABLE (
    ordinal integer, status text, event_id uuid, received_at timestamptz, is_inert boolean,
    results jsonb, not_matched json, details jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
-- As in fn_iu_auto_instantiate_many, and for the same reasons.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    v_items   iu_core.iu_event_item[];
    v_before  iu_core.iu_event_item[];
    v_firings iu_core.iu_event_firing[];
    v_leases  jsonb;
    v_now     timestamptz;
BEGIN
    IF NOT iu_core.fn_iu_event_rules_hold(p_rules_revision) THEN
        RETURN QUERY
        SELECT u.place::integer, 'rules_changed'::text, u.id, NULL::timestamptz, NULL::boolean,
               '[]'::jsonb, NULL::json, '{}'::jsonb
          FROM unnest(p_event_ids) WITH ORDINALITY AS u(id, place) ORDER BY u.place;
        RETURN;
    END IF;
    v_items := ARRAY(
        SELECT ROW(u.place, NULL, false, u.id, p_request_ids[u.place], p_actors[u.place],
                   p_allowed_actors[u.place], p_principals[u.place],
                   encode(sha256(convert_to(p_contents[u.place], 'UTF8')), 'hex'),
                   NULL)::iu_core.iu_event_item
          FROM unnest(p_event_ids) WITH ORDINALITY AS u(id, place) ORDER BY u.place);

    -- A short cut that needs no gate: what is known is answered also after the gate was closed.
    v_items := iu_core.fn_iu_event_judge(v_items, p_contents);
    IF EXISTS (SELECT FROM unnest(v_items) AS i WHERE i.status IS NULL) THEN
        v_before := v_items;
        SELECT a.items, a.leases INTO v_items, v_leases
          FROM iu_core.fn_iu_event_admit(v_items, p_refusals::jsonb[], p_of <> '{}') AS a;
        v_items := iu_core.fn_iu_event_reconsider(v_before, v_items, p_contents);
        v_now := iu_core.fn_iu_now();
        v_items := iu_core.fn_iu_event_claim(
            v_items, p_rules_revision, p_sources, p_ids, p_types, p_inert, p_depths, p_channels,
            p_contents, p_travelled, p_not_matched, v_now);
        v_firings := ARRAY(
            SELECT ROW(v_items[f.ordinal].event_id, p_types[f.ordinal], p_route_ids[f.place],
                       -- Its own, so that a call that is sent again is told what it composed itself.
                       md5(v_items[f.ordinal].request_id || ':' || p_route_ids[f.place])::uuid,
                       p_reasons[f.place], p_templates[f.place], p_suffixes[f.place],
                       p_route_actors[f.place], p_emit_modes[f.place], p_data[f.place],
                       p_schema_digests[f.place], p_data_errors[f.place],
                       p_route_allowed[f.place], p_route_principals[f.place]
                   )::iu_core.iu_event_firing
              FROM unnest(p_of) WITH ORDINALITY AS f(ordinal, place)
             WHERE v_items[f.ordinal].claimed AND p_data[f.place] IS NOT NULL
             ORDER BY f.place);
        IF v_firings <> '{}' THEN
            INSERT INTO iu_core.iu_event_result
                   (event_id, route_id, instance_collection_id, fired_at, firings, outcome, code,
                    template, suffix, details)
            SELECT f.event_id, f.route_id, f.instance_collection_id, v_now,
                   (f.outcome <> 'pending')::integer, f.outcome, f.code, f.template, f.suffix,
                   f.details
              FROM iu_core.fn_iu_event_fire(v_firings) AS f;
        END IF;
        IF array_position(p_data, NULL) IS NOT NULL THEN
            INSERT INTO iu_core.iu_event_result
                   (event_id, route_id, fired_at, firings, outcome, template, suffix)
            SELECT v_items[f.ordinal].event_id, p_route_ids[f.place], v_now, 0, 'pending',
                   p_templates[f.place], p_suffixes[f.place]
              FROM unnest(p_of) WITH ORDINALITY AS f(ordinal, place)
             WHERE v_items[f.ordinal].claimed AND p_data[f.place] IS NULL;
        END IF;
    END IF;
    PERFORM iu_core.fn_iu_event_record(v_items, v_leases, p_sources, p_ids, p_types, p_channels);
    RETURN QUERY SELECT * FROM iu_core.fn_iu_event_answer(v_items);
END
$$;
