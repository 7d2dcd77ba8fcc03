-- grant: iu_app, iu_reader
-- One row per marked template, also those that have no place in a version chain yet.
--   version_number              that of its key
--   version_status              current, superseded, withdrawn; unversioned when it is in no chain
--   family_chain_length         how many versions the chain has, withdrawn ones not counted
--   digest_drift_from_previous  whether its pieces differ from those of the version it supersedes
--   chain_revision              NULL when the family has no chain
CREATE OR REPLACE VIEW iu_core.v_iu_template AS
SELECT
    r.template_collection_id,
    r.template_key,
    split_part(r.template_key, '/', 1) AS family_key,
    substring(r.template_key FROM '/v([0-9]+)$')::integer AS version_number,
    coalesce(v.status, 'unversioned') AS version_status,
    v.template_collection_id IS NULL AS template_without_version,
    r.composition_digest,
    r.piece_count,
    v.supersedes_collection_id,
    p.template_key AS supersedes_template_key,
    coalesce((SELECT count(*) FROM iu_core.iu_collection_template_version AS c
               WHERE c.family_id = v.family_id AND c.status <> 'withdrawn'), 0)::integer
        AS family_chain_length,
    coalesce(p.composition_digest <> r.composition_digest, false) AS digest_drift_from_previous,
    (SELECT coalesce(jsonb_object_agg(a.axis, jsonb_build_object(
                         'unit_count', a.unit_count, 'values', a.axis_values)), '{}'::jsonb)
       FROM iu_core.iu_composition_axis AS a
      WHERE a.composition_digest = r.composition_digest) AS axes,
    coalesce(f.title, '') AS title,
    coalesce(f.description, '') AS description,
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
