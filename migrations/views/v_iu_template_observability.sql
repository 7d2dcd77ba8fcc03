-- grant: iu_app, iu_reader
-- What an operator looks at, per template. Instances come from the counters that composing keeps,
-- so that it costs the same however many instances there are; that the counters are right is for
-- fn_iu_verify_integrity to say.
--   status                      NULL: marked as a template, but without a place in a version chain
--   family_chain_length         versions of the family that were not withdrawn
--   digest_drift_from_previous  whether its pieces differ from those of the version that it
--                               supersedes; NULL where there is none
--   dry_runs                    how often composing from it was only tried
CREATE OR REPLACE VIEW iu_core.v_iu_template_observability AS
SELECT r.template_key,
       split_part(r.template_key, '/', 1) AS family,
       split_part(r.template_key, '/', 2) AS version,
       v.status,
       coalesce(n.instances, 0)::bigint AS instances,
       coalesce(n.instances - n.diverging, 0)::bigint AS matches,
       coalesce(n.diverging, 0)::bigint AS diverges,
       v.template_collection_id IS NULL AS template_without_version,
       coalesce(f.chain_length, 0)::bigint AS family_chain_length,
       r.composition_digest <> p.composition_digest AS digest_drift_from_previous,
       coalesce(n.dry_runs, 0)::bigint AS dry_runs,
       r.template_collection_id,
       v.family_id,
       r.composition_digest,
       r.piece_count
  FROM iu_core.iu_collection_template_registry AS r
  LEFT JOIN iu_core.iu_collection_template_version AS v
         ON v.template_collection_id = r.template_collection_id
  LEFT JOIN iu_core.iu_collection_template_registry AS p
         ON p.template_collection_id = v.supersedes_collection_id
  LEFT JOIN (SELECT w.family_id, count(*) AS chain_length
               FROM iu_core.iu_collection_template_version AS w
              WHERE w.status <> 'withdrawn'
              GROUP BY w.family_id) AS f
         ON f.family_id = v.family_id
  LEFT JOIN (SELECT c.template_collection_id,
                    sum(c.instance_count) FILTER (WHERE c.emit_mode IN ('live', 'none')) AS instances,
                    sum(c.diverging_count) FILTER (WHERE c.emit_mode IN ('live', 'none')) AS diverging,
                    sum(c.instance_count) FILTER (WHERE c.emit_mode = 'dry_run') AS dry_runs
               FROM iu_core.iu_template_counter AS c
              GROUP BY c.template_collection_id) AS n
         ON n.template_collection_id = r.template_collection_id;
