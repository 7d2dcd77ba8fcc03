-- grant: iu_app, iu_reader
-- Instances that nothing says the origin of: their lineage row is gone. There should be none, and
-- finding that out costs a look at every instance.
CREATE OR REPLACE VIEW iu_core.v_iu_orphan_instance AS
SELECT c.collection_id AS instance_collection_id,
       c.collection_key AS instance_key,
       c.created_at,
       c.composition_digest
  FROM iu_core.iu_piece_collection AS c
  LEFT JOIN iu_core.iu_collection_template_instance_lineage AS l
         ON l.instance_collection_id = c.collection_id
 WHERE c.is_instance
   AND l.instance_collection_id IS NULL;
