-- grant: iu_app, iu_reader
-- The sources of raw webhooks, without what their signatures are made with.
CREATE OR REPLACE VIEW iu_core.v_iu_event_source AS
SELECT s.source_name, s.revision, s.enabled, s.signature, s.signature_header,
       cardinality(s.secrets) AS secret_count, s.source, s.id_from, s.type_from, s.actor,
       s.principal, s.description, s.created_at, s.updated_at, s.updated_by, s.reason
  FROM iu_core.iu_event_source AS s;
