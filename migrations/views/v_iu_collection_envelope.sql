-- grant: iu_app, iu_reader
-- The envelope of each collection, template or instance or plain: one row for each axis that its units
-- carry. Kept for each composition, which many collections share, and always what the units' axes are.
--   unit_count   how many different units carry the axis
--   axis_values  the different values, sorted
CREATE OR REPLACE VIEW iu_core.v_iu_collection_envelope AS
SELECT c.collection_id, c.collection_key, c.is_instance, c.composition_digest,
       a.axis, a.unit_count, a.axis_values
  FROM iu_core.iu_piece_collection AS c
  JOIN iu_core.iu_composition_axis AS a ON a.composition_digest = c.composition_digest;
