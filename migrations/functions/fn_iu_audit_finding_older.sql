-- grant: owner only
-- Whether the instances from before there were runs are those that there were when the database was brought
-- to this schema: its run says how many, and the digest of what the table below has of them, in the order of
-- their ids. Its subject is the nil UUID; where there were none, there is no such run.
--   instances_differ  one was removed without a tombstone, put in, or changed
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_older()
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    WITH run AS MATERIALIZED (
        SELECT d.record_id,
               concat_ws(' ', d.details ->> 'instances', d.details ->> 'instances_sha256') AS said
          FROM iu_core.iu_command_record AS d
         WHERE d.subject_id = '00000000-0000-0000-0000-000000000000'
           AND d.command = 'migrate_database'
    ), older AS (
        SELECT g.instance_collection_id AS id, g.template_collection_id, g.composition_digest,
               l.data_digest, l.actor
          FROM iu_core.iu_collection_template_instance_lineage AS g
          LEFT JOIN iu_core.iu_auto_instantiate_event_log AS l
                 ON l.instance_collection_id = g.instance_collection_id
         WHERE l.batch_id IS NULL AND EXISTS (SELECT FROM run)
        UNION ALL
        SELECT t.instance_collection_id, t.template_collection_id, t.composition_digest,
               t.data_digest, t.actor
          FROM iu_core.iu_instance_tombstone AS t
         WHERE t.batch_id IS NULL AND EXISTS (SELECT FROM run)
    ), found AS (
        SELECT concat_ws(' ', count(*), encode(sha256(coalesce(
                   string_agg(e.digest, '' ORDER BY e.id, e.digest), '')), 'hex')) AS is_now
          FROM (SELECT o.id, sha256(convert_to(jsonb_build_array(
                           o.id, o.template_collection_id, o.composition_digest, o.data_digest,
                           o.actor)::text, 'UTF8')) AS digest
                  FROM older AS o) AS e
    )
    SELECT 'instances_differ', 'run ' || r.record_id, r.said, f.is_now
      FROM run AS r CROSS JOIN found AS f
     WHERE r.said <> f.is_now
$$;
