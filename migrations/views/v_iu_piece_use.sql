-- grant: iu_app, iu_reader
-- Where a unit stands: one row per unit, collection and position, instances left out. A plain
-- collection has no template_key.
--   status  NULL: a plain collection, or a template that has no place in a version chain
CREATE OR REPLACE VIEW iu_core.v_iu_piece_use AS
SELECT
    p.unit_id,
    c.collection_id,
    c.collection_key,
    p.position,
    p.role,
    r.template_key,
    v.status
FROM iu_core.iu_composition_piece AS p
JOIN iu_core.iu_piece_collection AS c
    ON c.composition_digest = p.composition_digest AND NOT c.is_instance
LEFT JOIN iu_core.iu_collection_template_registry AS r
    ON r.template_collection_id = c.collection_id
LEFT JOIN iu_core.iu_collection_template_version AS v
    ON v.template_collection_id = c.collection_id;
