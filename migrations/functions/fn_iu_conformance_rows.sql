-- grant: owner only
-- What stands in rows, or belongs to no object of the schema, by kind and name. What operators decide
-- (a gate, a lane) is not to be compared and is not told.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_rows()
RETURNS TABLE (kind text, name text, facets jsonb)
LANGUAGE sql STABLE
AS $$
    SELECT 'config', c.config_key,
           jsonb_build_object('is', CASE WHEN c.is_write_gate THEN 'gate' ELSE 'setting' END,
                              'value', jsonb_typeof(c.config_value))
      FROM iu_core.iu_core_config AS c
    UNION ALL
    SELECT 'config', 'api key ' || k.key_id, '{}'
      FROM iu_core.iu_api_key AS k
     WHERE k.revoked_at IS NULL
    UNION ALL
    SELECT 'config', 'schema iu_core',
           (SELECT jsonb_object_agg(f.facet, f.value)
              FROM (SELECT 'owner' AS facet, pg_get_userbyid(n.nspowner)::text AS value
                    UNION ALL
                    SELECT * FROM iu_core.fn_iu_conformance_grants(n.nspacl)
                    UNION ALL
                    SELECT concat_ws(' ', 'new',
                               CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'
                                                    WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
                                                    ELSE 'schemas' END,
                               CASE WHEN d.defaclnamespace <> 0 THEN 'here' END,
                               CASE WHEN d.defaclrole <> n.nspowner
                                    THEN 'by ' || pg_get_userbyid(d.defaclrole) END, g.facet),
                           g.value
                      FROM pg_default_acl AS d
                     CROSS JOIN LATERAL iu_core.fn_iu_conformance_grants(d.defaclacl) AS g
                     WHERE d.defaclnamespace = n.oid
                        OR d.defaclnamespace = 0 AND d.defaclrole = n.nspowner
                    UNION ALL
                    SELECT 'published by ' || p.pubname,
                           CASE WHEN p.puballtables THEN 'all tables' ELSE 'its tables' END
                      FROM pg_publication AS p
                     WHERE p.puballtables
                        OR EXISTS (SELECT FROM pg_publication_namespace AS i
                                    WHERE i.pnpubid = p.oid AND i.pnnspid = n.oid)) AS f)
      FROM pg_namespace AS n
     WHERE n.nspname = 'iu_core'
    UNION ALL
    SELECT 'config', 'clock', jsonb_build_object('ahead', c.set_ahead::text)
      FROM iu_core.iu_clock AS c
    UNION ALL
    -- One object: a row more is none of the operators'.
    SELECT 'config', 'commands',
           coalesce(jsonb_object_agg(d.command_code, (to_jsonb(d) - 'command_code')::text), '{}')
      FROM iu_core.dot_iu_command_catalog AS d
    UNION ALL
    SELECT 'config', 'retention policy ' || p.target, jsonb_build_object('is', 'policy')
      FROM iu_core.iu_core_retention_policy AS p
    UNION ALL
    SELECT 'event_type', t.event_type, jsonb_build_object('domain', t.domain)
      FROM iu_core.event_type_registry AS t
    UNION ALL
    SELECT 'route', 'event route ' || r.route_key, '{}'
      FROM iu_core.iu_sql_event_route AS r
     WHERE r.removed_at IS NULL
    UNION ALL
    SELECT 'route', 'outbound route ' || o.route_name, '{}'
      FROM iu_core.iu_outbound_route AS o
     WHERE o.removed_at IS NULL
$$;
