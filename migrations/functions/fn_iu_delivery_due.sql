-- grant: owner only
-- Makes messages due of a route, as if they were new: those that were never given to it, those that
-- were left from before it was enabled, and those that are done with it. What is pending or on the
-- wire already stays as it is; what was rolled back never leaves. Answers how many it has made due.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_due(
    p_route_id uuid, p_subject_ids uuid[], p_outbox_ids uuid[], p_actor text, p_now timestamptz)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_actors text[];
    v_made   bigint;
BEGIN
    -- A rollback that is under way is waited for, so that what it takes back is known below.
    SELECT array_agg(DISTINCT o.payload ->> 'actor') INTO v_actors
      FROM unnest(p_subject_ids, p_outbox_ids) AS u(subject_id, outbox_id)
      JOIN iu_core.event_outbox AS o
        ON o.subject_id = u.subject_id AND o.outbox_id = u.outbox_id;
    PERFORM iu_core.fn_iu_lock('actor', v_actors, true);
    INSERT INTO iu_core.iu_route_delivery AS d
           (subject_id, outbox_id, route_id, created_at, due_at, sequence, period, event_type)
    SELECT o.subject_id, o.outbox_id, p_route_id, o.created_at, p_now, o.sequence, r.period,
           o.event_type
      FROM unnest(p_subject_ids, p_outbox_ids) AS u(subject_id, outbox_id)
      JOIN iu_core.event_outbox AS o
        ON o.subject_id = u.subject_id AND o.outbox_id = u.outbox_id
     CROSS JOIN iu_core.iu_outbound_route AS r
     WHERE r.route_id = p_route_id AND NOT iu_core.fn_iu_outbox_is_void(o.subject_id, o.sequence)
     ORDER BY o.subject_id, o.outbox_id
        ON CONFLICT (subject_id, outbox_id, route_id) DO UPDATE
       SET state = 'pending', attempts = 0, due_at = p_now, period = excluded.period,
           ended_at = NULL, attempt_id = NULL
     WHERE (d.attempt_id IS NULL OR d.due_at <= p_now)  -- not on the wire
       AND (d.state <> 'pending' OR d.period <> excluded.period);
    GET DIAGNOSTICS v_made = ROW_COUNT;
    UPDATE iu_core.iu_route_dead_letter AS l
       SET replayed_at = p_now, replayed_by = p_actor
      FROM unnest(p_subject_ids, p_outbox_ids) AS u(subject_id, outbox_id)
     WHERE l.subject_id = u.subject_id
       AND l.outbox_id = u.outbox_id
       AND l.route_id = p_route_id
       AND l.replayed_at IS NULL;
    RETURN v_made;
END
$$;
