-- grant: iu_app
-- Sends messages again, or for the first time, along one route: those of a time range and the route's
-- types, in their order, from the place where the last call ended. What was rolled back never leaves.
--   p_from, p_to      when the messages were written; p_to is the first moment that is too late
--   p_event_type      only of this type; NULL: of all that the route is for
--   p_delivered       also those that it has delivered already
--   p_after_at, p_after_id  the last message of the call before; NULL: the first call
--   p_limit           how many it looks at
--   p_dry_run         (NULL is one, too) changes nothing, and counts; what is none is recorded
-- Answers {"status": "ok", "messages", "due", "after_at", "after_id"}: how many it looked at, how many
-- are due by it (or would be), and the place where to go on; NULL: that was all. Refuses with
-- invalid_input, outbound_route_not_found, outbound_route_disabled.
-- Locks: the route's row; the actors of the messages (shared); the deliveries' rows.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_replay(
    p_route_id uuid, p_from timestamptz, p_to timestamptz, p_event_type text, p_delivered boolean,
    p_after_at timestamptz, p_after_id uuid, p_limit integer, p_dry_run boolean, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command  constant text := 'replay_messages';
    v_refused  jsonb;
    v_subjects uuid[];
    v_messages uuid[];
    v_looked   bigint;
    v_at       timestamptz;
    v_id       uuid;
    v_due      bigint;
    v_now      timestamptz := iu_core.fn_iu_now();
BEGIN
    v_refused := coalesce(
        iu_core.fn_iu_invalid_input(v_command, ARRAY['/reason', '/to', '/limit'],
            ARRAY['should be one line of 1 to 500 characters', 'should be later than from',
                  'should be 1 to 10000'],
            ARRAY[iu_core.fn_iu_is_line(p_reason, 500), p_to > p_from,
                  p_limit BETWEEN 1 AND 10000], p_actor, p_principal, p_request_id),
        iu_core.fn_iu_delivery_route_errors(
            v_command, p_route_id, p_actor, p_principal, p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    SELECT count(*), (array_agg(m.created_at ORDER BY m.place DESC))[1],
           (array_agg(m.outbox_id ORDER BY m.place DESC))[1],
           array_agg(m.subject_id) FILTER (WHERE m.is_open),
           array_agg(m.outbox_id) FILTER (WHERE m.is_open)
      INTO v_looked, v_at, v_id, v_subjects, v_messages
      FROM (SELECT o.subject_id, o.outbox_id, o.created_at,
                   row_number() OVER (ORDER BY o.created_at, o.outbox_id) AS place,
                   NOT iu_core.fn_iu_outbox_is_void(o.subject_id, o.sequence)
                   AND (d.state IS NULL OR d.state IN ('dead', 'cancelled')
                        OR (d.state = 'delivered' AND p_delivered)
                        OR (d.state = 'pending' AND d.period <> r.period))
                   AND (d.attempt_id IS NULL OR d.due_at <= v_now) AS is_open
              FROM iu_core.event_outbox AS o
             CROSS JOIN iu_core.iu_outbound_route AS r
              LEFT JOIN iu_core.iu_route_delivery AS d
                     ON d.subject_id = o.subject_id
                    AND d.outbox_id = o.outbox_id
                    AND d.route_id = r.route_id
             WHERE r.route_id = p_route_id
               AND o.created_at >= greatest(p_from, p_after_at)
               AND o.created_at < p_to
               AND (p_after_id IS NULL OR (o.created_at, o.outbox_id) > (p_after_at, p_after_id))
               AND (p_event_type IS NULL OR o.event_type = p_event_type)
               AND iu_core.fn_iu_matches_type(o.event_type, r.event_type_pattern)
             ORDER BY o.created_at, o.outbox_id
             LIMIT p_limit) AS m;
    v_due := coalesce(cardinality(v_messages), 0);
    IF p_dry_run IS FALSE THEN
        v_due := iu_core.fn_iu_delivery_due(
            p_route_id, v_subjects, v_messages, p_actor, v_now);
        PERFORM iu_core.fn_iu_done(
            v_command, jsonb_build_object(
                'status', 'ok', 'route', p_route_id, 'reason', p_reason, 'from', p_from, 'to', p_to,
                'event_type', p_event_type, 'delivered', p_delivered, 'after_at', p_after_at,
                'messages', v_looked, 'due', v_due),
            p_actor, p_principal, p_request_id, p_route_id,
            jsonb_build_object('messages', v_looked, 'due', v_due));
    END IF;
    RETURN jsonb_build_object(
        'status', 'ok', 'messages', v_looked, 'due', v_due,
        'after_at', CASE WHEN v_looked = p_limit THEN v_at END,
        'after_id', CASE WHEN v_looked = p_limit THEN v_id END);
END
$$;
