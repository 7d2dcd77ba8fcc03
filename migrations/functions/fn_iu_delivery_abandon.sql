-- grant: owner only
-- Ends the attempts whose lease is over: nothing was heard of them, and nobody can tell whether they
-- arrived. Their messages are due by then; those whose last attempt it was are dead letters. Passes over
-- those that somebody is ending just now.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_abandon(p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_subjects uuid[];
    v_attempts uuid[];
    v_had      uuid[];
    v_now      timestamptz;
    v_ended    iu_core.iu_ended_delivery[];
BEGIN
    SELECT array_agg(a.subject_id), array_agg(a.attempt_id) INTO v_subjects, v_attempts
      FROM iu_core.iu_route_attempt AS a
     WHERE a.ended_at IS NULL AND a.leased_until <= p_now;
    IF v_subjects IS NULL THEN
        RETURN;
    END IF;
    v_had := ARRAY(
        SELECT d.attempt_id
          FROM iu_core.iu_route_delivery AS d
         WHERE d.subject_id = ANY (v_subjects)
           AND d.attempt_id = ANY (v_attempts)
         ORDER BY d.subject_id, d.outbox_id, d.route_id
           FOR NO KEY UPDATE SKIP LOCKED);
    -- Only now: whoever looks for work and finds none shall need no number.
    v_now := iu_core.fn_iu_fact_time();
    UPDATE iu_core.iu_route_attempt AS a
       SET ended_at = v_now, outcome = 'abandoned', error = 'abandoned',
           detail = 'nothing was heard of it until its lease was over'
     WHERE a.subject_id = ANY (v_subjects)
       AND a.attempt_id = ANY (v_attempts)
       AND a.ended_at IS NULL
       AND (a.attempt_id = ANY (v_had)
            -- Its message was sent again meanwhile, or rolled back.
            OR NOT EXISTS (SELECT FROM iu_core.iu_route_delivery AS d
                            WHERE d.subject_id = a.subject_id AND d.attempt_id = a.attempt_id));
    WITH ended AS (
        UPDATE iu_core.iu_route_delivery AS d
           SET state = 'dead', ended_at = v_now, attempt_id = NULL
         WHERE d.subject_id = ANY (v_subjects)
           AND d.attempt_id = ANY (v_had)
           AND d.state = 'pending'
           AND iu_core.fn_iu_delivery_pause(d.attempts, NULL) IS NULL
        RETURNING d.*)
    SELECT array_agg(ROW(e.subject_id, e.outbox_id, e.route_id, a.attempt_id, e.attempts, 'dead',
                         e.event_type, NULL, true)::iu_core.iu_ended_delivery)
      INTO v_ended
      FROM ended AS e
      JOIN iu_core.iu_route_attempt AS a
        ON a.subject_id = e.subject_id AND a.outbox_id = e.outbox_id AND a.route_id = e.route_id
       AND a.attempt_id = ANY (v_had);
    PERFORM iu_core.fn_iu_delivery_note(v_ended, v_now);
END
$$;
