-- grant: owner only
-- Keeps what became of routes that were fired later than their events came in. Where more came of one
-- before than a refusal, that stays, unless it is composed now: what was only tried, or was rolled
-- back. What is pending still is left as it was.
--   p_fired  rows of fn_iu_event_fire, as the members of an object
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_fired_again(p_fired jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO iu_core.iu_event_result AS r
           (event_id, route_id, instance_collection_id, fired_at, outcome, code, template, suffix,
            details)
    SELECT f.event_id, f.route_id, f.instance_collection_id, iu_core.fn_iu_now(), f.outcome,
           f.code, f.template, f.suffix, f.details
      FROM jsonb_each(p_fired) AS e
     CROSS JOIN LATERAL jsonb_to_record(e.value) AS f(
           event_id uuid, route_id uuid, instance_collection_id uuid, outcome text, code text,
           template text, suffix text, details jsonb)
     WHERE f.outcome <> 'pending'
     ORDER BY f.event_id, f.route_id
        ON CONFLICT (event_id, route_id) DO UPDATE
       SET instance_collection_id = excluded.instance_collection_id, fired_at = excluded.fired_at,
           firings = r.firings + 1, outcome = excluded.outcome, code = excluded.code,
           template = excluded.template, suffix = excluded.suffix, details = excluded.details
     WHERE r.outcome IN ('refused', 'pending')
        OR excluded.outcome = 'composed'
        OR r.outcome = 'dry_run' AND excluded.outcome = 'replayed';
END
$$;
