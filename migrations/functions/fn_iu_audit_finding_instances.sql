-- grant: owner only
-- Where the instances that were composed after one time, up to another, are not those that the runs of
-- that time say: told from event log, lineage and tombstones.
--   instances_differ     one was removed without a tombstone, put in, or changed
--   instance_unrecorded  no run has composed it, nor is it older than runs (fn_iu_audit_finding_older)
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_instances(
    p_after timestamptz, p_until timestamptz)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    WITH runs AS MATERIALIZED (
        SELECT d.record_id, d.subject_id AS batch_id, d.actor, d.last_at, d.instances_digest,
               d.counts ->> 'composed' AS composed
          FROM iu_core.iu_command_record AS d
         WHERE d.last_at > p_after AND d.last_at <= p_until AND d.instances_digest IS NOT NULL
    ), instances AS MATERIALIZED (
        SELECT g.instance_collection_id, l.batch_id, l.actor, l.template_collection_id,
               g.composition_digest, l.data_digest, g.composed_at
          FROM iu_core.iu_collection_template_instance_lineage AS g
          -- OFFSET: one by one by their key, for a join is planned to go through the whole log each time.
          LEFT JOIN LATERAL (
                    SELECT * FROM iu_core.iu_auto_instantiate_event_log AS e
                     WHERE e.instance_collection_id = g.instance_collection_id OFFSET 0) AS l ON true
         WHERE g.composed_at > p_after AND g.composed_at <= p_until
        UNION ALL
        SELECT t.instance_collection_id, t.batch_id, t.actor, t.template_collection_id,
               t.composition_digest, t.data_digest, t.composed_at
          FROM iu_core.iu_instance_tombstone AS t
         WHERE t.composed_at > p_after AND t.composed_at <= p_until
    ), readable AS (
        -- What somebody has put in the place of a digest must not end the look. A pattern with a count
        -- in it takes 20 µs.
        SELECT i.*, length(i.composition_digest) = 64 AND length(i.data_digest) = 64
                    AND ltrim(i.composition_digest || i.data_digest, '0123456789abcdef') = '' AS is_hex
          FROM instances AS i
    ), made AS MATERIALIZED (  -- once, and not for each run, however few are expected
        SELECT k.batch_id, k.actor, k.composed_at, sum(k.composed) AS composed,
               encode(sha256(string_agg(
                   iu_core.fn_iu_template_bytes(k.template_collection_id, k.composition_digest)
                   || k.entries, '' ORDER BY k.template_collection_id)), 'hex') AS instances_digest
          FROM (SELECT i.batch_id, i.actor, i.composed_at, i.template_collection_id,
                       i.composition_digest, count(*) AS composed,
                       string_agg(iu_core.fn_iu_instance_bytes(
                                      i.instance_collection_id, i.data_digest), ''
                                  ORDER BY i.instance_collection_id) AS entries
                  FROM readable AS i
                 WHERE i.is_hex
                 GROUP BY i.batch_id, i.actor, i.composed_at, i.template_collection_id,
                          i.composition_digest) AS k
         GROUP BY k.batch_id, k.actor, k.composed_at
    )
    SELECT 'instances_differ', 'run ' || r.record_id, r.composed || ' ' || r.instances_digest,
           coalesce(m.composed || ' ' || m.instances_digest, 'none')
      FROM runs AS r
      LEFT JOIN made AS m
             ON m.batch_id = r.batch_id AND m.actor = r.actor AND m.composed_at = r.last_at
     WHERE (r.composed, r.instances_digest)
           IS DISTINCT FROM (m.composed::text, m.instances_digest)
    UNION ALL
    SELECT 'instance_unrecorded', 'instance ' || i.instance_collection_id, 'its run', 'none'
      FROM instances AS i
      LEFT JOIN runs AS r
             ON r.batch_id = i.batch_id AND r.actor = i.actor AND r.last_at = i.composed_at
     WHERE r.record_id IS NULL
       AND (i.batch_id IS NOT NULL OR NOT EXISTS (
               SELECT FROM iu_core.iu_command_record AS d
                WHERE d.subject_id = '00000000-0000-0000-0000-000000000000'
                  AND d.command = 'migrate_database'
                  AND d.last_at >= i.composed_at))
$$;
