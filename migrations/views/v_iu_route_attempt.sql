-- grant: iu_app, iu_reader
-- Every attempt to send a message along a route; outcome NULL: it is on the wire.
CREATE OR REPLACE VIEW iu_core.v_iu_route_attempt AS
SELECT a.attempt_id, a.outbox_id AS message_id, a.subject_id, a.route_id, r.route_name,
       o.event_type, o.sequence, a.attempt, a.started_at, a.ended_at, a.took_ms, a.outcome,
       a.http_status, a.error, a.detail, a.answer, a.worker
  FROM iu_core.iu_route_attempt AS a
  JOIN iu_core.event_outbox AS o ON o.subject_id = a.subject_id AND o.outbox_id = a.outbox_id
  JOIN iu_core.iu_outbound_route AS r ON r.route_id = a.route_id;
