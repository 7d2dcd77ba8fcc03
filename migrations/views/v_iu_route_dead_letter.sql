-- grant: iu_app, iu_reader
-- Messages that could not be delivered along a route, with the last answer; replayed_at: since then it
-- is due again, or was delivered after all. Those of instances that were rolled back
-- never leave, and are none.
CREATE OR REPLACE VIEW iu_core.v_iu_route_dead_letter AS
SELECT l.outbox_id AS message_id, l.subject_id, l.route_id, r.route_name, l.event_type, l.dead_at,
       l.attempts, l.replayed_at, l.replayed_by, a.attempt_id, a.http_status, a.error, a.detail,
       a.answer, o.payload
  FROM iu_core.iu_route_dead_letter AS l
  JOIN iu_core.iu_route_attempt AS a
    ON a.subject_id = l.subject_id AND a.attempt_id = l.attempt_id
  JOIN iu_core.event_outbox AS o ON o.subject_id = l.subject_id AND o.outbox_id = l.outbox_id
  JOIN iu_core.iu_outbound_route AS r ON r.route_id = l.route_id
 WHERE NOT EXISTS (SELECT FROM iu_core.event_outbox AS n
                    WHERE n.subject_id = o.subject_id
                      AND n.sequence > o.sequence
                      AND n.event_type = 'iu.template.instance_rolled_back');
