-- grant: iu_app
-- Claims messages that are to be sent now, and writes down that an attempt begins with each: of the
-- routes that are enabled and live, of types whose lane is live, while the gate is open; of one
-- subject the first that is not done. COMMIT this before anything is sent. Whoever claims and is never
-- heard of again is taken for lost when its lease is over.
--   p_worker        who claims, for people
--   p_busy_routes, p_busy_counts  how many messages of each route it has on the wire already
--   p_per_route     how many it takes on of one route at a time: one that hangs delays no other
--   p_most          how many it claims at most
--   p_lease_s       seconds until the attempts are taken for lost
-- One row for each, in the order of routes and times. depth: how many products led to it.
-- Locks: the gate and outbound routes (shared), then the deliveries' rows; passes over those that somebody else holds.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_claim(
    p_worker text, p_busy_routes uuid[], p_busy_counts integer[], p_per_route integer,
    p_most integer, p_lease_s integer)
RETURNS TABLE (
    subject_id uuid, outbox_id uuid, route_id uuid, attempt_id uuid, attempt integer,
    sequence integer, event_type text, created_at timestamptz, payload jsonb, depth integer,
    route_name text, endpoint text, secrets text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now     timestamptz := iu_core.fn_iu_now();
    v_types   text[];
    v_left    integer := p_most;
    v_route   record;
    v_claimed iu_core.iu_claimed_delivery[] := '{}';
    v_depths  jsonb;
BEGIN
    -- Also while nothing may be sent: what is lost is not on the wire.
    PERFORM iu_core.fn_iu_delivery_abandon(v_now);
    v_types := iu_core.fn_iu_delivery_types();
    FOR v_route IN
        SELECT r.route_id, r.period, p_per_route - coalesce(b.busy, 0) AS free,
               ARRAY(SELECT t.event_type FROM unnest(v_types) AS t(event_type)
                      WHERE iu_core.fn_iu_matches_type(t.event_type, r.event_type_pattern)) AS types
          FROM iu_core.iu_outbound_route AS r
         CROSS JOIN iu_core.iu_core_config AS c
          LEFT JOIN unnest(p_busy_routes, p_busy_counts) AS b(route_id, busy)
                 ON b.route_id = r.route_id
         WHERE v_types <> '{}'
           AND r.enabled
           AND c.config_key = 'iu_core.delivery_live_routes'
           AND c.config_value ? r.route_name
         ORDER BY random()
    LOOP
        EXIT WHEN v_left <= 0;
        v_claimed := v_claimed || iu_core.fn_iu_delivery_claim_of(
            v_route.route_id, v_route.period, v_route.types, least(v_route.free, v_left), v_now,
            p_lease_s);
        v_left := p_most - cardinality(v_claimed);
    END LOOP;
    IF v_claimed = '{}' THEN
        RETURN;
    END IF;
    INSERT INTO iu_core.iu_route_attempt
           (subject_id, attempt_id, outbox_id, route_id, started_at, leased_until, attempt, worker)
    SELECT c.subject_id, c.attempt_id, c.outbox_id, c.route_id, v_now,
           v_now + p_lease_s * interval '1 s', c.attempt, p_worker
      FROM unnest(v_claimed) AS c
     ORDER BY c.subject_id, c.attempt_id;
    v_depths := iu_core.fn_iu_delivery_depths(v_claimed);
    RETURN QUERY
    SELECT d.subject_id, d.outbox_id, d.route_id, d.attempt_id, d.attempt, o.sequence,
           o.event_type, o.created_at, o.payload,
           1 + coalesce((v_depths ->> (o.payload ->> 'event_id'))::integer, 0),
           r.route_name, r.endpoint, r.secrets
      FROM unnest(v_claimed) WITH ORDINALITY AS d
      JOIN iu_core.event_outbox AS o ON o.subject_id = d.subject_id AND o.outbox_id = d.outbox_id
      JOIN iu_core.iu_outbound_route AS r ON r.route_id = d.route_id
     ORDER BY d.ordinality;
END
$$;
