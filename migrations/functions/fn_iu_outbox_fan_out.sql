-- grant: owner only
-- Gives the messages that this transaction has written about these subjects, of one type and at one
-- time, to every route that is enabled for their type, if the type's lane is live. Whoever enables a route, or
-- opens a lane, waits for the transactions that are here: when it was answered, the route gets every
-- message that is committed afterwards.
-- Locks: outbound routes (shared).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_outbox_fan_out(
    p_subject_ids uuid[], p_event_type text, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_routes uuid[];
BEGIN
    PERFORM iu_core.fn_iu_lock('outbound_routes', ARRAY['outbound_routes'], true);
    -- A later statement: it sees what was committed before the lock was had.
    v_routes := ARRAY(SELECT r.route_id FROM iu_core.iu_outbound_route AS r
                        JOIN iu_core.event_type_registry AS t
                          ON t.event_type = p_event_type AND t.delivery_lane = 'live'
                       WHERE r.enabled
                         AND iu_core.fn_iu_matches_type(p_event_type, r.event_type_pattern));
    IF v_routes = '{}' THEN
        RETURN;
    END IF;
    INSERT INTO iu_core.iu_route_delivery
           (subject_id, outbox_id, route_id, created_at, due_at, sequence, period, event_type)
    SELECT o.subject_id, o.outbox_id, r.route_id, p_now, p_now, o.sequence, r.period, o.event_type
      FROM iu_core.event_outbox AS o
     CROSS JOIN iu_core.iu_outbound_route AS r
     WHERE o.subject_id = ANY (p_subject_ids)
       AND o.created_at = p_now
       AND o.event_type = p_event_type
       AND r.route_id = ANY (v_routes);
END
$$;
