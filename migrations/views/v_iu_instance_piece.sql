-- grant: iu_app
-- An instance's pieces with their content, from the composition that it points to now.
CREATE OR REPLACE VIEW iu_core.v_iu_instance_piece AS
SELECT c.collection_id AS instance_collection_id,
       p.position,
       p.role,
       p.unit_id,
       u.content_digest,
       u.media_type,
       u.title,
       u.body
  FROM iu_core.iu_piece_collection AS c
  JOIN iu_core.iu_composition_piece AS p
    ON p.composition_digest = c.composition_digest
  JOIN iu_core.information_unit AS u
    ON u.unit_id = p.unit_id
 WHERE c.is_instance;
