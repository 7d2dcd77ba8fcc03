-- grant: owner only
-- The stored events that may be deleted, the oldest first, so many at most: that came in before p_cutoff,
-- and of whose routes nothing has come since. Never one of which a route was refused, or is not fired yet:
-- it can still be fired again.
--   p_until_at, p_until_id  the last one that a plan names; NULL: it is being planned
-- Whatever fires a route has a later time, so none becomes one of them as long as p_cutoff is the same.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_events(
    p_cutoff timestamptz, p_until_at timestamptz, p_until_id uuid, p_most integer)
RETURNS TABLE (id uuid, at timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT e.event_id, e.received_at
      FROM iu_core.iu_event AS e
     WHERE e.received_at < p_cutoff
       AND (p_until_at IS NULL OR (e.received_at, e.event_id) <= (p_until_at, p_until_id))
       AND NOT EXISTS (SELECT FROM iu_core.iu_event_result AS r
                        WHERE r.event_id = e.event_id
                          AND (r.outcome IN ('refused', 'pending') OR r.fired_at >= p_cutoff))
     ORDER BY e.received_at, e.event_id
     LIMIT p_most
$$;
