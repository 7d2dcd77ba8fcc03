-- grant: owner only
-- The digest of a plan: SHA-256 over the instances' ids, sorted, one per line. Anyone can recompute
-- it with sort and sha256sum.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_digest(p_ids uuid[])
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(coalesce(
               pg_catalog.string_agg(i.id || E'\n', '' ORDER BY i.id), ''), 'UTF8')), 'hex')
      FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(p_ids) AS u(id)) AS i
$$;
