-- grant: iu_app, iu_reader
-- The event types that are registered, and where messages of each go.
CREATE OR REPLACE VIEW iu_core.v_iu_event_type AS
SELECT t.event_type, t.version, t.delivery_lane, t.domain, t.description, t.data_schema,
       t.created_at, t.updated_at, t.updated_by, t.reason
  FROM iu_core.event_type_registry AS t;
