-- grant: iu_app, iu_reader
-- What each surface was at the moment of a snapshot: v_iu_surface says how it was counted.
CREATE OR REPLACE VIEW iu_core.v_iu_snapshot_surface AS
SELECT s.snapshot_id, s.surface, s.row_count, s.digest
  FROM iu_core.iu_snapshot_surface AS s;
