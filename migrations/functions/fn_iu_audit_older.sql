-- grant: owner only
-- The instances from before there were runs, those with a tombstone included: how many there are, and the
-- SHA-256 over what each is, in the order of their ids. That is what their run tells (docs/audit.md), of
-- `migrate_database`, with the nil UUID as its subject.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_older()
RETURNS TABLE (instances bigint, instances_sha256 text)
LANGUAGE sql STABLE
AS $$
    WITH older AS (
        SELECT g.instance_collection_id AS id, g.template_collection_id, g.composition_digest,
               l.data_digest, l.actor
          FROM iu_core.iu_collection_template_instance_lineage AS g
          LEFT JOIN iu_core.iu_auto_instantiate_event_log AS l
                 ON l.instance_collection_id = g.instance_collection_id
         WHERE l.batch_id IS NULL
        UNION ALL
        SELECT t.instance_collection_id, t.template_collection_id, t.composition_digest,
               t.data_digest, t.actor
          FROM iu_core.iu_instance_tombstone AS t
         WHERE t.batch_id IS NULL
    )
    SELECT count(*), encode(sha256(coalesce(
               string_agg(e.digest, '' ORDER BY e.id, e.digest), '')), 'hex')
      FROM (SELECT o.id, sha256(convert_to(jsonb_build_array(
                       o.id, o.template_collection_id, o.composition_digest, o.data_digest,
                       o.actor)::text, 'UTF8')) AS digest
              FROM older AS o) AS e
$$;
