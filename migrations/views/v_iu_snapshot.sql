-- grant: iu_app, iu_reader
-- The snapshots that were taken: when, by whom and why.
CREATE OR REPLACE VIEW iu_core.v_iu_snapshot AS
SELECT s.snapshot_id, s.taken_at, s.actor, s.principal, s.reason, s.request_id, s.schema_revision
  FROM iu_core.iu_snapshot AS s;
