-- grant: owner only
-- What bootstrap arranges around the schema, by kind and name: what sessions start with, and what
-- everybody, the service and the dashboards may do in the database, make where sessions look for names,
-- and lock. What a platform's administrator may not do, reserving advisory locks to the owner, is told
-- where it was done.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_database()
RETURNS TABLE (kind text, name text, facets jsonb)
LANGUAGE sql STABLE
AS $$
    SELECT 'config', 'database', coalesce(jsonb_object_agg(f.facet, f.value), '{}')
      FROM (SELECT * FROM iu_core.fn_iu_conformance_settings(0)
            UNION ALL
            SELECT g.place || g.facet, g.value
              FROM (SELECT '' AS place, d.*
                      FROM pg_database AS b
                     CROSS JOIN LATERAL iu_core.fn_iu_conformance_grants(
                           coalesce(b.datacl, acldefault('d', b.datdba))) AS d
                     WHERE b.datname = current_database()
                     UNION ALL
                    SELECT 'in public ', c.facet, 'CREATE'
                      FROM pg_namespace AS n
                     CROSS JOIN LATERAL iu_core.fn_iu_conformance_grants(
                           coalesce(n.nspacl, acldefault('n', n.nspowner))) AS c
                     WHERE n.nspname = 'public' AND c.value LIKE 'CREATE%'
                     UNION ALL
                    SELECT DISTINCT 'on advisory locks ', e.facet, e.value
                      FROM pg_proc AS p
                     CROSS JOIN LATERAL iu_core.fn_iu_conformance_grants(p.proacl) AS e
                     WHERE p.pronamespace = 'pg_catalog'::regnamespace
                       AND p.proname ~ '^pg_(try_)?advisory_'
                       AND EXISTS (SELECT FROM aclexplode(p.proacl) AS o
                                    WHERE o.grantee = 'iu_owner'::regrole)) AS g
             WHERE g.facet IN ('grants to PUBLIC', 'grants to iu_app', 'grants to iu_reader')) AS f
$$;
