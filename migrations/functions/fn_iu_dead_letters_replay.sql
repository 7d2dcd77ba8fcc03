-- grant: iu_app
-- Sends dead letters of one route again: those that are named, or those of a time range; the oldest
-- first. Those that were replayed already are none any more.
--   p_outbox_ids      their messages; NULL: all of the range
--   p_from, p_to      when they died; NULL: from the first, to the last
--   p_limit           how many at most
--   p_dry_run         (NULL is one, too) changes nothing, and counts; what is none is recorded
-- Answers {"status": "ok", "letters", "due"}: how many there are, and how many of these are due by it
-- (or would be). Refuses with invalid_input, outbound_route_not_found, outbound_route_disabled.
-- Locks: the route's row; the actors of the messages (shared); the deliveries' rows.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_dead_letters_replay(
    p_route_id uuid, p_outbox_ids uuid[], p_from timestamptz, p_to timestamptz, p_limit integer,
    p_dry_run boolean, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command  constant text := 'replay_dead_letters';
    v_refused  jsonb;
    v_letters  bigint;
    v_subjects uuid[];
    v_messages uuid[];
    v_due      bigint;
BEGIN
    v_refused := coalesce(
        iu_core.fn_iu_invalid_input(v_command, ARRAY['/reason', '/limit'],
            ARRAY['should be one line of 1 to 500 characters', 'should be 1 to 10000'],
            ARRAY[iu_core.fn_iu_is_line(p_reason, 500), p_limit BETWEEN 1 AND 10000],
            p_actor, p_principal, p_request_id),
        iu_core.fn_iu_delivery_route_errors(
            v_command, p_route_id, p_actor, p_principal, p_request_id));
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;
    SELECT count(*),
           array_agg(n.subject_id ORDER BY n.place) FILTER (WHERE n.place <= p_limit),
           array_agg(n.outbox_id ORDER BY n.place) FILTER (WHERE n.place <= p_limit)
      INTO v_letters, v_subjects, v_messages
      FROM (SELECT l.subject_id, l.outbox_id,
                   row_number() OVER (ORDER BY l.dead_at, l.outbox_id) AS place
              FROM iu_core.iu_route_dead_letter AS l
              JOIN iu_core.event_outbox AS o
                ON o.subject_id = l.subject_id AND o.outbox_id = l.outbox_id
             WHERE l.route_id = p_route_id
               AND l.replayed_at IS NULL
               AND NOT iu_core.fn_iu_outbox_is_void(o.subject_id, o.sequence)
               AND (p_outbox_ids IS NULL OR l.outbox_id = ANY (p_outbox_ids))
               AND (p_from IS NULL OR l.dead_at >= p_from)
               AND (p_to IS NULL OR l.dead_at < p_to)) AS n;
    v_due := coalesce(cardinality(v_messages), 0);
    IF p_dry_run IS FALSE THEN
        v_due := iu_core.fn_iu_delivery_due(
            p_route_id, v_subjects, v_messages, p_actor, iu_core.fn_iu_now());
        PERFORM iu_core.fn_iu_done(
            v_command, jsonb_build_object(
                'status', 'ok', 'route', p_route_id, 'reason', p_reason, 'from', p_from, 'to', p_to,
                'messages', p_outbox_ids, 'letters', v_letters, 'due', v_due),
            p_actor, p_principal, p_request_id, p_route_id,
            jsonb_build_object('letters', v_letters, 'due', v_due));
    END IF;
    RETURN jsonb_build_object('status', 'ok', 'letters', v_letters, 'due', v_due);
END
$$;
