-- grant: iu_app
-- Writes down how attempts ended, and what becomes of their messages: delivered; due again after a
-- pause; a dead letter after the last attempt. An attempt whose lease was over and whose message was
-- claimed again, rolled back or replayed meanwhile is written down, and decides nothing. Safe to send
-- again. Arrays of one length:
--   p_outcomes  delivered, failed (it may have been received) or not_sent
--   p_errors    a stable word; NULL where there is none
--   p_answers   the beginning of the endpoint's answer
-- An answer of 410 disables the route, and makes the message a dead letter.
-- One row for each: state is what has become of the message (NULL: nothing, by this attempt).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_finish(
    p_subject_ids uuid[], p_attempt_ids uuid[], p_outcomes text[], p_statuses integer[],
    p_errors text[], p_details text[], p_answers text[], p_took_ms integer[],
    p_retry_after_s integer[])
RETURNS TABLE (attempt_id uuid, state text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now   timestamptz := iu_core.fn_iu_fact_time();
    v_ended iu_core.iu_ended_delivery[];
BEGIN
    -- Of routes that are to be disabled the row comes first, as it does for whoever sends again.
    PERFORM FROM iu_core.iu_outbound_route AS r
      WHERE 410 = ANY (p_statuses)
        AND r.route_id IN (
            SELECT a.route_id
              FROM unnest(p_subject_ids, p_attempt_ids, p_statuses)
                   AS u(subject_id, attempt_id, status)
              JOIN iu_core.iu_route_attempt AS a
                ON a.subject_id = u.subject_id AND a.attempt_id = u.attempt_id
             WHERE u.status = 410)
      ORDER BY r.route_id
        FOR NO KEY UPDATE;
    -- And what waits for them: whoever is putting that off is waited for, and undone below.
    PERFORM FROM iu_core.iu_route_delivery AS d
      WHERE d.subject_id = ANY (p_subject_ids)
        AND (d.attempt_id = ANY (p_attempt_ids)
             OR (d.state = 'pending' AND d.attempts = 0 AND EXISTS (
                     SELECT FROM iu_core.iu_route_delivery AS e
                      WHERE e.subject_id = d.subject_id
                        AND e.route_id = d.route_id
                        AND e.attempt_id = ANY (p_attempt_ids))))
      ORDER BY d.subject_id, d.outbox_id, d.route_id
        FOR NO KEY UPDATE;
    UPDATE iu_core.iu_route_attempt AS a
       SET ended_at = v_now, outcome = u.outcome, http_status = u.status, error = u.error,
           detail = u.detail, answer = u.answer, took_ms = u.took_ms
      FROM unnest(p_subject_ids, p_attempt_ids, p_outcomes, p_statuses, p_errors, p_details,
                  p_answers, p_took_ms)
           AS u(subject_id, attempt_id, outcome, status, error, detail, answer, took_ms)
     WHERE a.subject_id = u.subject_id
       AND a.attempt_id = u.attempt_id
       AND (a.ended_at IS NULL OR a.outcome = 'abandoned');

    WITH ended AS (
        UPDATE iu_core.iu_route_delivery AS d
           SET attempt_id = NULL,
               state = CASE WHEN d.state = 'pending' THEN n.state ELSE d.state END,
               due_at = coalesce(v_now + n.pause, d.due_at),
               ended_at = CASE WHEN d.state = 'pending' AND n.state <> 'pending' THEN v_now
                               ELSE d.ended_at END
          FROM unnest(p_subject_ids, p_attempt_ids, p_outcomes, p_statuses, p_retry_after_s)
               AS u(subject_id, attempt_id, outcome, status, retry_after_s)
         CROSS JOIN LATERAL (
               SELECT x.subject_id, x.outbox_id, x.route_id, x.state = 'pending' AS decided,
                      iu_core.fn_iu_delivery_pause(x.attempts, u.retry_after_s) AS pause
                 FROM iu_core.iu_route_delivery AS x
                WHERE x.subject_id = u.subject_id AND x.attempt_id = u.attempt_id) AS p
         CROSS JOIN LATERAL (
               SELECT CASE WHEN u.outcome = 'delivered' THEN 'delivered'
                           WHEN u.status = 410 OR p.pause IS NULL THEN 'dead'
                           ELSE 'pending' END AS state,
                      p.pause) AS n
         WHERE d.subject_id = p.subject_id
           AND d.outbox_id = p.outbox_id
           AND d.route_id = p.route_id
           AND d.attempt_id = u.attempt_id
        RETURNING d.subject_id, d.outbox_id, d.route_id, u.attempt_id, d.attempts, n.state,
                  d.event_type, u.status, p.decided)
    SELECT array_agg(ROW(e.subject_id, e.outbox_id, e.route_id, e.attempt_id, e.attempts, e.state,
                         e.event_type, e.status, e.decided)::iu_core.iu_ended_delivery
                     ORDER BY e.subject_id, e.outbox_id)
      INTO v_ended
      FROM ended AS e;
    -- What was delivered has left the system, whatever was decided about it meanwhile.
    UPDATE iu_core.event_outbox AS o
       SET delivered_at = v_now
      FROM unnest(p_subject_ids, p_attempt_ids, p_outcomes) AS u(subject_id, attempt_id, outcome)
      JOIN iu_core.iu_route_attempt AS a
        ON a.subject_id = u.subject_id AND a.attempt_id = u.attempt_id
     WHERE u.outcome = 'delivered'
       AND o.subject_id = a.subject_id
       AND o.outbox_id = a.outbox_id
       AND o.delivered_at IS NULL;
    PERFORM iu_core.fn_iu_delivery_note(v_ended, v_now);
    -- What waited for them needs wait no more.
    UPDATE iu_core.iu_route_delivery AS d
       SET due_at = v_now
      FROM unnest(v_ended) AS e
     WHERE d.subject_id = ANY (p_subject_ids)
       AND d.subject_id = e.subject_id
       AND d.route_id = e.route_id
       AND d.outbox_id <> e.outbox_id
       AND d.state = 'pending'
       AND d.attempts = 0
       AND d.due_at > v_now;
    RETURN QUERY
    SELECT u.attempt_id, CASE WHEN e.decided THEN e.state END
      FROM unnest(p_attempt_ids) WITH ORDINALITY AS u(attempt_id, place)
      LEFT JOIN unnest(v_ended) AS e ON e.attempt_id = u.attempt_id
     ORDER BY u.place;
END
$$;
