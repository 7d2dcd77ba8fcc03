-- grant: owner only
-- Deletes rows that a plan names of a target that is not the command record, the oldest first, so many at
-- most; answers how many. What may not go any more, since it was sent or fired again, stays.
-- Locks: of attempts their deliveries' rows (shared), of events their rows, which whoever fires one again
-- holds; each sorted. What was waited for is looked at again.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_remove(p_target jsonb, p_most integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_cutoff   constant timestamptz := p_target ->> 'cutoff';
    v_until_at constant timestamptz := p_target ->> 'until_at';
    v_until_id constant uuid := p_target ->> 'until_id';
    v_ids      uuid[];
    v_subjects uuid[];
    v_rows     bigint := 0;
BEGIN
    IF p_target ->> 'target' = 'delivery_attempts' THEN
        SELECT array_agg(a.id), array_agg(DISTINCT a.subject_id) INTO v_ids, v_subjects
          FROM iu_core.fn_iu_retention_attempts(v_cutoff, v_until_at, v_until_id, p_most) AS a;
        PERFORM FROM iu_core.iu_route_delivery AS d
          WHERE d.subject_id = ANY (v_subjects)
          ORDER BY d.subject_id, d.outbox_id, d.route_id
            FOR SHARE;
        DELETE FROM iu_core.iu_route_attempt AS a
         WHERE a.subject_id = ANY (v_subjects)
           AND a.attempt_id = ANY (v_ids)
           AND EXISTS (SELECT FROM iu_core.iu_route_delivery AS d
                        WHERE d.subject_id = a.subject_id
                          AND d.outbox_id = a.outbox_id
                          AND d.route_id = a.route_id
                          AND d.state IN ('delivered', 'cancelled')
                          AND d.ended_at < v_cutoff);
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    ELSIF p_target ->> 'target' = 'stored_events' THEN
        v_ids := ARRAY(SELECT e.id FROM iu_core.fn_iu_retention_events(
                                            v_cutoff, v_until_at, v_until_id, p_most) AS e);
        PERFORM FROM iu_core.iu_event AS e
          WHERE e.event_id = ANY (v_ids)
          ORDER BY e.event_id
            FOR UPDATE;
        v_subjects := ARRAY(SELECT r.event_id FROM iu_core.iu_event_result AS r
                             WHERE r.event_id = ANY (v_ids)
                               AND (r.outcome IN ('refused', 'pending') OR r.fired_at >= v_cutoff));
        DELETE FROM iu_core.iu_event_result AS r
         WHERE r.event_id = ANY (v_ids) AND r.event_id <> ALL (v_subjects);
        DELETE FROM iu_core.iu_event AS e
         WHERE e.event_id = ANY (v_ids) AND e.event_id <> ALL (v_subjects);
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    ELSE
        v_ids := ARRAY(SELECT l.id FROM iu_core.fn_iu_retention_leases(
                                            v_cutoff, v_until_at, v_until_id, p_most) AS l);
        DELETE FROM iu_core.iu_gate_lease AS l WHERE l.lease_id = ANY (v_ids);
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    END IF;
    RETURN v_rows;
END
$$;
