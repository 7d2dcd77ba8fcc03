-- grant: owner only
-- Whatever the schema holds, by kind and name, and what is to be said of it. Types, sequences, foreign
-- tables and everything that has no kind of its own count as tables; what is not simply of its kind
-- says so in its name: "foreign table iu_core.x".
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_objects()
RETURNS TABLE (kind text, name text, facets jsonb)
LANGUAGE sql STABLE
AS $$
    WITH facets AS MATERIALIZED (
        SELECT f.class, f.object, jsonb_object_agg(f.facet, f.value) AS told
          FROM (SELECT * FROM iu_core.fn_iu_conformance_relations()
                UNION ALL
                SELECT * FROM iu_core.fn_iu_conformance_routines()) AS f
         WHERE f.value IS NOT NULL
         GROUP BY f.class, f.object
    )
    SELECT k.kind,
           CASE WHEN i.type <> k.kind THEN i.type || ' ' ELSE '' END
               || coalesce('iu_core.' || quote_ident(p.proname)
                               || '(' || oidvectortypes(p.proargtypes) || ')',
                           i.identity),
           coalesce(f.told, '{}')
      FROM pg_depend AS d
     CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
     CROSS JOIN LATERAL (
           SELECT CASE WHEN d.classid = 'pg_proc'::regclass THEN 'function'
                       WHEN i.type IN ('view', 'materialized view') THEN 'view'
                       ELSE 'table' END AS kind) AS k
      LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
      LEFT JOIN facets AS f ON f.class = d.classid AND f.object = d.objid
     WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'iu_core'::regnamespace
       AND d.deptype = 'n'
    UNION ALL
    -- A cast is in no schema.
    SELECT 'table', i.type || ' ' || i.identity, '{}'
      FROM pg_cast AS c
     CROSS JOIN LATERAL pg_identify_object('pg_cast'::regclass, c.oid, 0) AS i
     WHERE EXISTS (SELECT FROM pg_type AS t
                    WHERE t.oid IN (c.castsource, c.casttarget)
                      AND t.typnamespace = 'iu_core'::regnamespace)
    UNION ALL
    SELECT 'trigger', i.identity,
           jsonb_build_object('definition', pg_get_triggerdef(t.oid),
                              'enabled', CASE t.tgenabled WHEN 'O' THEN 'yes' WHEN 'D' THEN 'no'
                                                          WHEN 'R' THEN 'on replicas'
                                                          ELSE 'always' END)
      FROM pg_trigger AS t
      JOIN pg_class AS c ON c.oid = t.tgrelid
     CROSS JOIN LATERAL pg_identify_object('pg_trigger'::regclass, t.oid, 0) AS i
     WHERE c.relnamespace = 'iu_core'::regnamespace AND NOT t.tgisinternal
$$;
