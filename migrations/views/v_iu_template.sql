-- grant: iu_app, iu_reader
-- One row per marked template, also those that have no place in a version chain yet.
--   version, version_number     those of its key
--   status                      NULL: it has no place in a version chain
--   schema_digest               by which data is judged (v_iu_template_schema); NULL: it takes any
--   supersedes                  the key of its predecessor in the chain
--   family_chain_length         how many versions the chain has, withdrawn ones not counted
--   digest_drift_from_previous  whether its pieces differ from its predecessor's; NULL: it has none
--   chain_revision              NULL: the family has no chain
CREATE OR REPLACE VIEW iu_core.v_iu_template AS
SELECT
    r.template_collection_id,
    r.template_key,
    split_part(r.template_key, '/', 1) AS family,
    split_part(r.template_key, '/', 2) AS version,
    substring(r.template_key FROM '/v([0-9]+)$')::integer AS version_number,
    v.status,
    v.template_collection_id IS NULL AS template_without_version,
    coalesce(f.title, '') AS title,
    coalesce(f.description, '') AS description,
    r.composition_digest,
    r.piece_count,
    r.schema_digest,
    (SELECT coalesce(jsonb_object_agg(a.axis, jsonb_build_object(
                         'unit_count', a.unit_count, 'values', a.axis_values)), '{}'::jsonb)
       FROM iu_core.iu_composition_axis AS a
      WHERE a.composition_digest = r.composition_digest) AS axes,
    p.template_key AS supersedes,
    coalesce((SELECT count(*) FROM iu_core.iu_collection_template_version AS c
               WHERE c.family_id = v.family_id AND c.status <> 'withdrawn'), 0)::integer
        AS family_chain_length,
    r.composition_digest <> p.composition_digest AS digest_drift_from_previous,
    f.chain_revision,
    r.marked_by,
    r.marked_at,
    v.created_by AS versioned_by,
    v.created_at AS versioned_at,
    coalesce(v.reason, r.reason) AS reason,
    v.withdrawn_by,
    v.withdrawn_at,
    v.withdrawn_reason
FROM iu_core.iu_collection_template_registry AS r
LEFT JOIN iu_core.iu_collection_template_version AS v
    ON v.template_collection_id = r.template_collection_id
LEFT JOIN iu_core.iu_collection_template_registry AS p
    ON p.template_collection_id = v.supersedes_collection_id
LEFT JOIN iu_core.iu_collection_template_family AS f
    ON f.family_key = split_part(r.template_key, '/', 1);
