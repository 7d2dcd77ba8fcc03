-- grant: iu_app, iu_reader
-- One row per unit and collection that holds it, instances left out: templates, and plain
-- collections (with no template_key). version_status is unversioned for a template in no chain.
CREATE OR REPLACE VIEW iu_core.v_iu_piece_use AS
SELECT
    p.unit_id,
    c.collection_id,
    c.collection_key,
    r.template_key,
    CASE WHEN r.template_collection_id IS NOT NULL
         THEN coalesce(v.status, 'unversioned') END AS version_status,
    array_agg(p.position ORDER BY p.position) AS positions,
    array_agg(p.role ORDER BY p.position) AS roles
FROM iu_core.iu_composition_piece AS p
JOIN iu_core.iu_piece_collection AS c
    ON c.composition_digest = p.composition_digest AND NOT c.is_instance
LEFT JOIN iu_core.iu_collection_template_registry AS r
    ON r.template_collection_id = c.collection_id
LEFT JOIN iu_core.iu_collection_template_version AS v
    ON v.template_collection_id = c.collection_id
GROUP BY p.unit_id, c.collection_id, c.collection_key, r.template_collection_id, r.template_key, v.status;
