-- grant: owner only
-- What is wrong with instances: each against its template, its lineage, its event-log row and its
-- own identity, which anyone can compute. NULL looks at all.
--   orphan_instance             no lineage row says where it comes from
--   lineage_without_instance    a lineage row of a collection that is no instance
--   instance_diverges           its pieces are not its template's
--   lineage_digest_mismatch     the digest written at composing is not the template's
--   event_log_missing           it bears an event's label, and no event-log row
--   event_log_mismatch          event log and lineage name different templates or times
--   reference_mismatch          asked for was neither its template nor its template's family
--   identity_mismatch           its id is not md5(event : reference : suffix)
--   label_mismatch              it is not called after its suffix
--   data_digest_mismatch        the event's data is not what its digest was computed from
--   instance_and_tombstone      it is there, and rolled back with its key kept
--   tombstone_identity_mismatch its tombstone's event, reference and suffix are another instance's
-- Whether anything is wrong is asked first, of typed columns: writing out what was expected for
-- every sound row took twice as long as everything else.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_finding_instances(p_instance_id uuid)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT f.kind, 'instance ' || s.collection_id, f.expected, f.actual
      FROM (SELECT c.collection_id, c.collection_key, l.template_collection_id, l.composed_at,
                   v.family_id, e.reference_id, e.suffix, e.idempotency_key, e.data_digest,
                   e.template_collection_id AS log_template_id,
                   e.composed_at AS log_composed_at,
                   c.composition_digest AS own_digest,
                   l.composition_digest AS lineage_digest,
                   r.composition_digest AS template_digest,
                   md5(e.event_id || ':' || e.reference_id || ':' || e.suffix) AS computed_key,
                   encode(sha256(convert_to(e.data::text, 'UTF8')), 'hex') AS computed_data_digest,
                   l.instance_collection_id IS NULL AS is_orphan,
                   NOT c.is_instance AS is_none,
                   l.instance_collection_id IS NOT NULL AND e.instance_collection_id IS NULL
                       AND c.collection_key LIKE 'tpl-inst:auto:%' AS lacks_log,
                   e.template_collection_id <> l.template_collection_id AS names_other_template,
                   e.composed_at <> l.composed_at AS names_other_time,
                   e.reference_id IS DISTINCT FROM l.template_collection_id
                       AND e.reference_id IS DISTINCT FROM v.family_id
                       AND e.reference_id IS NOT NULL AS names_other_reference,
                   c.collection_key <> 'tpl-inst:auto:' || e.suffix AS bears_other_label
              FROM iu_core.iu_piece_collection AS c
              LEFT JOIN iu_core.iu_collection_template_instance_lineage AS l
                     ON l.instance_collection_id = c.collection_id
              LEFT JOIN iu_core.iu_auto_instantiate_event_log AS e
                     ON e.instance_collection_id = c.collection_id
              LEFT JOIN iu_core.iu_collection_template_registry AS r
                     ON r.template_collection_id = l.template_collection_id
              LEFT JOIN iu_core.iu_collection_template_version AS v
                     ON v.template_collection_id = l.template_collection_id
             WHERE (c.is_instance OR l.instance_collection_id IS NOT NULL)
               AND (p_instance_id IS NULL OR c.collection_id = p_instance_id)) AS s
     CROSS JOIN LATERAL (VALUES
               ('orphan_instance', 'a lineage row', 'none', s.is_orphan),
               ('lineage_without_instance', 'an instance', 'a collection that is none', s.is_none),
               ('instance_diverges', s.template_digest, s.own_digest,
                s.own_digest <> s.template_digest),
               ('lineage_digest_mismatch', s.template_digest, s.lineage_digest,
                s.lineage_digest <> s.template_digest),
               ('event_log_missing', 'an event-log row', 'none', s.lacks_log),
               ('event_log_mismatch', 'template ' || s.template_collection_id,
                'template ' || s.log_template_id, s.names_other_template),
               ('event_log_mismatch', 'time ' || s.composed_at, 'time ' || s.log_composed_at,
                s.names_other_time),
               ('reference_mismatch', concat_ws(' or ', s.template_collection_id, s.family_id),
                s.reference_id::text, s.names_other_reference),
               ('identity_mismatch', s.computed_key, s.idempotency_key,
                s.idempotency_key <> s.computed_key),
               ('label_mismatch', 'tpl-inst:auto:' || s.suffix, s.collection_key,
                s.bears_other_label),
               ('data_digest_mismatch', s.data_digest, s.computed_data_digest,
                s.data_digest <> s.computed_data_digest)
           ) AS f(kind, expected, actual, applies)
     WHERE (s.is_orphan OR s.is_none OR s.lacks_log OR s.names_other_template
            OR s.names_other_time OR s.names_other_reference OR s.bears_other_label
            OR s.own_digest <> s.template_digest OR s.lineage_digest <> s.template_digest
            OR s.idempotency_key <> s.computed_key OR s.data_digest <> s.computed_data_digest)
       AND f.applies
    UNION ALL
    SELECT 'instance_and_tombstone', 'instance ' || c.collection_id, 'one of them', 'both'
      FROM iu_core.iu_instance_tombstone AS t
      JOIN iu_core.iu_piece_collection AS c ON c.collection_id = t.instance_collection_id
     WHERE t.released_at IS NULL
       AND (p_instance_id IS NULL OR c.collection_id = p_instance_id)
    UNION ALL
    SELECT 'tombstone_identity_mismatch', 'tombstone ' || t.instance_collection_id,
           t.computed_id::text, t.instance_collection_id::text
      FROM (SELECT b.instance_collection_id,
                   md5(b.event_id || ':' || b.reference_id || ':' || b.suffix)::uuid AS computed_id
              FROM iu_core.iu_instance_tombstone AS b
             WHERE p_instance_id IS NULL OR b.instance_collection_id = p_instance_id) AS t
     WHERE t.computed_id <> t.instance_collection_id
$$;
