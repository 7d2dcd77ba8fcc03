-- grant: iu_app, iu_reader
-- The events that were taken in. content and travelled together are the
-- CloudEvent; not_matched are the routes of its type
-- that it did not take, and why.
CREATE OR REPLACE VIEW iu_core.v_iu_event AS
SELECT e.event_id, e.received_at, e.source, e.cloudevent_id, e.event_type, e.depth, e.is_inert,
       e.channel, e.actor, e.principal, e.request_id, e.rules_revision, e.content_digest,
       e.content, e.travelled, e.not_matched
  FROM iu_core.iu_event AS e;
