-- grant: iu_app, iu_reader
-- Where an instance comes from: its template, that template's place in the version chain, what has
-- become current since, the event if there was one, and the digests of all three sides.
-- version, status and the chain's columns are NULL for a template without a version.
CREATE OR REPLACE VIEW iu_core.v_iu_lineage AS
SELECT l.instance_collection_id,
       c.collection_key AS instance_key,
       l.composed_at,
       l.template_collection_id,
       r.template_key,
       split_part(r.template_key, '/', 1) AS family,
       split_part(r.template_key, '/', 2) AS version,
       v.status,
       before.template_key AS supersedes,
       now_current.template_key AS current_template_key,
       c.composition_digest,
       l.composition_digest AS lineage_digest,
       r.composition_digest AS template_digest,
       coalesce(c.composition_digest = r.composition_digest, false) AS digest_matches_template,
       e.event_id,
       e.event_type,
       e.suffix,
       e.idempotency_key,
       e.actor,
       e.emit_mode,
       e.reason,
       e.operation_id
  FROM iu_core.iu_collection_template_instance_lineage AS l
  JOIN iu_core.iu_piece_collection AS c
    ON c.collection_id = l.instance_collection_id
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = l.template_collection_id
  LEFT JOIN iu_core.iu_collection_template_version AS v
         ON v.template_collection_id = l.template_collection_id
  LEFT JOIN iu_core.iu_collection_template_registry AS before
         ON before.template_collection_id = v.supersedes_collection_id
  LEFT JOIN iu_core.iu_collection_template_version AS w
         ON w.family_id = v.family_id AND w.status = 'current'
  LEFT JOIN iu_core.iu_collection_template_registry AS now_current
         ON now_current.template_collection_id = w.template_collection_id
  LEFT JOIN iu_core.iu_auto_instantiate_event_log AS e
         ON e.instance_collection_id = l.instance_collection_id;
