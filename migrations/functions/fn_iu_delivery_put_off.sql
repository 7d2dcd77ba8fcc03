-- grant: owner only
-- Puts off what waits for another message of its subject along this route: until that is due, but
-- for a lease at least, and five minutes at most. Whoever ends that one makes it due at once (fn_iu_delivery_finish); where it may
-- not leave any more, nobody does. Passes over what somebody else holds. Answers how many it has put off.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_put_off(
    p_route_id uuid, p_due iu_core.iu_due_delivery[], p_now timestamptz,
    p_lease_s integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_subjects uuid[];
    v_messages uuid[];
    v_put_off  bigint;
BEGIN
    SELECT array_agg(w.subject_id), array_agg(w.outbox_id) INTO v_subjects, v_messages
      FROM unnest(p_due) AS w WHERE w.waits_until IS NOT NULL;
    IF v_subjects IS NULL THEN
        RETURN 0;
    END IF;
    v_messages := ARRAY(
        SELECT d.outbox_id FROM iu_core.iu_route_delivery AS d
         WHERE d.subject_id = ANY (v_subjects)
           AND d.outbox_id = ANY (v_messages)
           AND d.route_id = p_route_id
         ORDER BY d.subject_id, d.outbox_id
           FOR NO KEY UPDATE SKIP LOCKED);
    -- A later statement: it sees what was committed before the rows were had.
    UPDATE iu_core.iu_route_delivery AS d
       SET due_at = greatest(p_now + p_lease_s * interval '1 s',
                             least(w.waits_until, p_now + interval '5 min'))
      FROM unnest(p_due) AS w
     WHERE d.subject_id = ANY (v_subjects)
       AND d.subject_id = w.subject_id
       AND d.outbox_id = w.outbox_id
       AND d.outbox_id = ANY (v_messages)
       AND d.route_id = p_route_id
       AND d.state = 'pending'
       AND (d.attempt_id IS NULL OR d.due_at <= p_now)  -- not on the wire
       -- What it waits for is as it was: nobody has made this one due meanwhile.
       AND EXISTS (SELECT FROM iu_core.iu_route_delivery AS e
                    WHERE e.subject_id = d.subject_id
                      AND e.route_id = d.route_id
                      AND e.outbox_id <> d.outbox_id
                      AND e.due_at = w.waits_until
                      AND (e.state = 'pending' OR e.attempt_id IS NOT NULL));
    GET DIAGNOSTICS v_put_off = ROW_COUNT;
    RETURN v_put_off;
END
$$;
