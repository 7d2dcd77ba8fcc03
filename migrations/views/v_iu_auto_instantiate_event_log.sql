-- grant: iu_app, iu_reader
-- One row per event-composed instance: the event, the actor, and whether the instance still is what
-- its template says. The digests come from three places, because comparing two copies of one string
-- proves nothing: composition_digest is what the instance's own collection points to now,
-- template_digest stands in the registry, lineage_digest was written when it was composed.
-- The event's payload (data) is not here: dashboards read this view; v_iu_instance has it.
CREATE OR REPLACE VIEW iu_core.v_iu_auto_instantiate_event_log AS
SELECT e.instance_collection_id,
       c.collection_key AS instance_key,
       e.template_collection_id,
       r.template_key,
       e.event_id,
       e.event_type,
       e.reference_id,
       e.suffix,
       e.idempotency_key,
       e.actor,
       e.emit_mode,
       e.reason,
       e.operation_id,
       e.request_id,
       e.composed_at,
       e.data_digest,
       encode(sha256(convert_to(c.composition_digest || E'\n' || e.data_digest || E'\n', 'UTF8')), 'hex')
           AS product_digest,
       coalesce(e.warnings, '{}') AS warnings,
       p.piece_count AS pieces_attached,
       c.composition_digest,
       r.composition_digest AS template_digest,
       l.composition_digest AS lineage_digest,
       coalesce(c.composition_digest = r.composition_digest, false) AS digest_matches_template
  FROM iu_core.iu_auto_instantiate_event_log AS e
  LEFT JOIN iu_core.iu_collection_template_instance_lineage AS l
         ON l.instance_collection_id = e.instance_collection_id
  LEFT JOIN iu_core.iu_piece_collection AS c
         ON c.collection_id = e.instance_collection_id
  LEFT JOIN iu_core.iu_composition AS p
         ON p.composition_digest = c.composition_digest
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = e.template_collection_id;
