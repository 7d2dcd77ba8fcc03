-- grant: owner only
-- Whatever the schema holds, by kind and name, and what is to be said of it. Types, sequences, foreign
-- tables and everything that has no kind of its own count as tables; what is not simply of its kind
-- says so in its name: "foreign table iu_core.x".
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_objects()
RETURNS TABLE (kind text, name text, facets jsonb)
LANGUAGE sql STABLE
AS $$
    SELECT k.kind,
           CASE WHEN i.type <> k.kind THEN i.type || ' ' ELSE '' END
               || coalesce((SELECT format('iu_core.%I(%s)', p.proname, oidvectortypes(p.proargtypes))
                              FROM pg_proc AS p
                             WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid),
                           i.identity),
           CASE WHEN d.classid = 'pg_class'::regclass
                THEN iu_core.fn_iu_conformance_relation(d.objid)
                WHEN d.classid = 'pg_proc'::regclass
                THEN iu_core.fn_iu_conformance_routine(d.objid)
                WHEN d.classid = 'pg_type'::regclass
                THEN (SELECT jsonb_build_object('owner', pg_get_userbyid(t.typowner))
                             || iu_core.fn_iu_conformance_grants(
                                    '', coalesce(t.typacl, acldefault('T', t.typowner)))
                             || iu_core.fn_iu_conformance_columns(t.typrelid)
                        FROM pg_type AS t WHERE t.oid = d.objid)
                ELSE '{}' END
      FROM pg_depend AS d
     CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
     CROSS JOIN LATERAL (
           SELECT CASE WHEN d.classid = 'pg_proc'::regclass THEN 'function'
                       WHEN i.type IN ('view', 'materialized view') THEN 'view'
                       ELSE 'table' END AS kind) AS k
     WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'iu_core'::regnamespace
       AND d.deptype = 'n'
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
