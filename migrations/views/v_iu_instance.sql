-- grant: iu_app
-- Instances with their lineage. The columns of the event log (event_id to warnings, and data) are
-- NULL for an instance that no event composed, and so is product_digest, which is of composition and
-- data (docs/digests.md); an instance whose lineage row is gone is not here but in
-- v_iu_orphan_instance. composed_at is the lineage's, which has an index by time and one by template;
-- by actor or event, v_iu_auto_instantiate_event_log is the shorter way.
-- axes are the envelope of its pieces (v_iu_collection_envelope).
CREATE OR REPLACE VIEW iu_core.v_iu_instance AS
SELECT l.instance_collection_id,
       c.collection_key AS instance_key,
       l.template_collection_id,
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
       l.composed_at,
       e.data_digest,
       encode(sha256(convert_to(c.composition_digest || E'\n' || e.data_digest || E'\n', 'UTF8')), 'hex')
           AS product_digest,
       e.data,
       coalesce(e.warnings, '{}') AS warnings,
       p.piece_count AS pieces_attached,
       (SELECT coalesce(jsonb_object_agg(a.axis, jsonb_build_object(
                            'unit_count', a.unit_count, 'values', a.axis_values)), '{}'::jsonb)
          FROM iu_core.iu_composition_axis AS a
         WHERE a.composition_digest = c.composition_digest) AS axes,
       c.composition_digest,
       r.composition_digest AS template_digest,
       l.composition_digest AS lineage_digest,
       coalesce(c.composition_digest = r.composition_digest, false) AS digest_matches_template
  FROM iu_core.iu_collection_template_instance_lineage AS l
  JOIN iu_core.iu_piece_collection AS c
    ON c.collection_id = l.instance_collection_id
  LEFT JOIN iu_core.iu_composition AS p
         ON p.composition_digest = c.composition_digest
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = l.template_collection_id
  LEFT JOIN iu_core.iu_auto_instantiate_event_log AS e
         ON e.instance_collection_id = l.instance_collection_id;
