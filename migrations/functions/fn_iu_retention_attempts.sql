-- grant: owner only
-- The attempts of delivery that may be deleted, the oldest first, so many at most: of messages that were
-- delivered along their route, or cancelled by a rollback, and all of it before p_cutoff. Never one whose
-- message is due, on the wire or a dead letter, or was one: a dead letter is read with its last attempt.
-- Nor one of a message of which nobody has noted that it has left, or never will: a rollback asks for it.
--   p_until_at, p_until_id  the last one that a plan names; NULL: it is being planned
-- Whatever ends a delivery has a later time, so none becomes one of them as long as p_cutoff is the same.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_attempts(
    p_cutoff timestamptz, p_until_at timestamptz, p_until_id uuid, p_most integer)
RETURNS TABLE (id uuid, at timestamptz, subject_id uuid)
LANGUAGE sql STABLE
AS $$
    SELECT a.attempt_id, a.started_at, a.subject_id
      FROM iu_core.iu_route_attempt AS a
      JOIN iu_core.iu_route_delivery AS d
        ON d.subject_id = a.subject_id AND d.outbox_id = a.outbox_id AND d.route_id = a.route_id
      JOIN iu_core.event_outbox AS o
        ON o.subject_id = a.subject_id AND o.outbox_id = a.outbox_id
     WHERE a.started_at < p_cutoff
       AND (p_until_at IS NULL OR (a.started_at, a.attempt_id) <= (p_until_at, p_until_id))
       AND a.ended_at < p_cutoff
       AND d.state IN ('delivered', 'cancelled')
       AND d.ended_at < p_cutoff
       AND (o.delivered_at < p_cutoff OR o.cancelled_at < p_cutoff)
       AND NOT EXISTS (SELECT FROM iu_core.iu_route_dead_letter AS l
                        WHERE l.subject_id = a.subject_id
                          AND l.outbox_id = a.outbox_id
                          AND l.route_id = a.route_id
                          AND l.attempt_id = a.attempt_id)
     ORDER BY a.started_at, a.attempt_id
     LIMIT p_most
$$;
