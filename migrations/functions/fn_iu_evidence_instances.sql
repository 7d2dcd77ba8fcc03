-- grant: owner only
-- The bytes whose SHA-256 is a run's instances_digest (docs/digests.md), of what event log, lineage and
-- tombstones have of the instances that it composed. NULL: they have none.
--   p_batch_id, p_actor, p_composed_at  the run's subject_id, actor and last_at
CREATE OR REPLACE FUNCTION iu_core.fn_iu_evidence_instances(
    p_batch_id uuid, p_actor text, p_composed_at timestamptz)
RETURNS bytea
LANGUAGE sql STABLE
AS $$
    WITH instances AS (
        SELECT l.instance_collection_id, l.template_collection_id, g.composition_digest,
               l.data_digest
          FROM iu_core.iu_auto_instantiate_event_log AS l
          JOIN iu_core.iu_collection_template_instance_lineage AS g
            ON g.instance_collection_id = l.instance_collection_id
         WHERE l.actor = p_actor AND l.composed_at = p_composed_at AND l.batch_id = p_batch_id
        UNION ALL
        SELECT t.instance_collection_id, t.template_collection_id, t.composition_digest,
               t.data_digest
          FROM iu_core.iu_instance_tombstone AS t
         WHERE t.batch_id = p_batch_id AND t.actor = p_actor AND t.composed_at = p_composed_at
    )
    SELECT string_agg(
               iu_core.fn_iu_template_bytes(k.template_collection_id, k.composition_digest)
               || k.entries, '' ORDER BY k.template_collection_id)
      FROM (SELECT i.template_collection_id, i.composition_digest,
                   string_agg(iu_core.fn_iu_instance_bytes(
                                  i.instance_collection_id, i.data_digest), ''
                              ORDER BY i.instance_collection_id) AS entries
              FROM instances AS i
             WHERE i.composition_digest || i.data_digest ~ '^[0-9a-f]{128}$'
             GROUP BY i.template_collection_id, i.composition_digest) AS k
$$;
