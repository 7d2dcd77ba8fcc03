-- grant: owner only
-- What follows from attempts that ended: a message that is given up by it is a dead letter; a route
-- whose endpoint is gone is disabled.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_note(
    p_ended iu_core.iu_ended_delivery[], p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_gone uuid[];
BEGIN
    INSERT INTO iu_core.iu_route_dead_letter AS l
           (subject_id, outbox_id, route_id, attempt_id, dead_at, attempts, event_type)
    SELECT e.subject_id, e.outbox_id, e.route_id, e.attempt_id, p_now, e.attempts, e.event_type
      FROM unnest(p_ended) AS e
     WHERE e.state = 'dead' AND e.decided
        ON CONFLICT (subject_id, outbox_id, route_id) DO UPDATE
       SET attempt_id = excluded.attempt_id, dead_at = excluded.dead_at, replayed_at = NULL,
           replayed_by = NULL, attempts = excluded.attempts;

    -- Not a route that was changed since the attempt began: it may lead elsewhere by now.
    SELECT array_agg(DISTINCT e.route_id) INTO v_gone
      FROM unnest(p_ended) AS e
      JOIN iu_core.iu_route_attempt AS a
        ON a.subject_id = e.subject_id AND a.attempt_id = e.attempt_id
      JOIN iu_core.iu_outbound_route AS r ON r.route_id = e.route_id
     WHERE e.http_status = 410 AND r.enabled AND r.updated_at <= a.started_at;
    IF v_gone IS NOT NULL THEN
        UPDATE iu_core.iu_outbound_route AS r
           SET enabled = false, revision = r.revision + 1, disabled_by_answer = p_now,
               updated_at = p_now, updated_by = 'iu-core-delivery',
               reason = 'its endpoint answered 410 Gone'
         WHERE r.route_id = ANY (v_gone);
    END IF;
END
$$;
