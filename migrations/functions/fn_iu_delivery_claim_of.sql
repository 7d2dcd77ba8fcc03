-- grant: owner only
-- Claims what is due of one route, the oldest first, and answers it. Of one subject it is the first
-- message of these types that is not done, so that the others wait for it; and while one is on the
-- wire, whatever became of it, none. Looked for without a lock, then locked: what another has claimed
-- meanwhile is passed over. What waits for another is put off, so that it stands in nobody's way; it
-- looks on where it found nothing else, up to ten times.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_claim_of(
    p_route_id uuid, p_period integer, p_types text[], p_most integer, p_now timestamptz,
    p_lease_s integer)
RETURNS iu_core.iu_claimed_delivery[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_type     text;
    v_due      iu_core.iu_due_delivery[];
    v_subjects uuid[];
    v_messages uuid[];
    v_claimed  iu_core.iu_claimed_delivery[];
BEGIN
    IF p_most <= 0 THEN
        RETURN '{}';
    END IF;
    FOR v_round IN 1..10 LOOP
        v_due := '{}';
        FOREACH v_type IN ARRAY p_types LOOP
            v_due := v_due || ARRAY(
                SELECT ROW(d.subject_id, d.outbox_id, d.due_at,
                           (SELECT max(e.due_at)
                              FROM iu_core.iu_route_delivery AS e
                             WHERE e.subject_id = d.subject_id
                               AND e.route_id = d.route_id
                               AND e.outbox_id <> d.outbox_id
                               AND ((e.sequence < d.sequence AND e.state = 'pending'
                                     AND e.period = p_period AND e.event_type = ANY (p_types))
                                    OR (e.attempt_id IS NOT NULL AND e.due_at > p_now)))
                       )::iu_core.iu_due_delivery
                  FROM iu_core.iu_route_delivery AS d
                 WHERE d.route_id = p_route_id
                   AND d.period = p_period
                   AND d.event_type = v_type
                   AND d.state = 'pending'
                   AND d.due_at <= p_now
                 ORDER BY d.due_at
                 -- What is only put off costs little.
                 LIMIT greatest(4 * p_most, CASE WHEN v_round > 1 THEN 1000 END));
        END LOOP;
        EXIT WHEN iu_core.fn_iu_delivery_put_off(p_route_id, v_due, p_now, p_lease_s) = 0
              OR EXISTS (SELECT FROM unnest(v_due) AS w WHERE w.waits_until IS NULL);
    END LOOP;
    SELECT array_agg(w.subject_id), array_agg(w.outbox_id) INTO v_subjects, v_messages
      FROM (SELECT u.* FROM unnest(v_due) AS u
             WHERE u.waits_until IS NULL ORDER BY u.due_at LIMIT p_most) AS w;
    IF v_subjects IS NULL THEN
        RETURN '{}';
    END IF;
    v_messages := ARRAY(
        SELECT d.outbox_id
          FROM iu_core.iu_route_delivery AS d
         WHERE d.subject_id = ANY (v_subjects)
           AND d.outbox_id = ANY (v_messages)
           AND d.route_id = p_route_id
           AND d.state = 'pending'
           AND d.due_at <= p_now
         ORDER BY d.subject_id, d.outbox_id
           FOR NO KEY UPDATE SKIP LOCKED);
    WITH claimed AS (
        UPDATE iu_core.iu_route_delivery AS d
           SET attempt_id = gen_random_uuid(), attempts = d.attempts + 1,
               due_at = p_now + p_lease_s * interval '1 s'
         WHERE d.subject_id = ANY (v_subjects)
           AND d.outbox_id = ANY (v_messages)
           AND d.route_id = p_route_id
        RETURNING d.subject_id, d.outbox_id, d.route_id, d.attempt_id, d.attempts)
    SELECT array_agg(ROW(c.subject_id, c.outbox_id, c.route_id, c.attempt_id, c.attempts)
                     ::iu_core.iu_claimed_delivery)
      INTO v_claimed
      FROM claimed AS c;
    RETURN coalesce(v_claimed, '{}');
END
$$;
