-- grant: owner only
-- What belongs to each relation of the schema beside its columns: constraints, indexes, rules,
-- policies, relations that inherit, publications. A constraint whose triggers are off says so, and so does an index
-- that is not in use.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_parts()
RETURNS TABLE (relation oid, facet text, value text)
LANGUAGE sql STABLE
AS $$
    SELECT c.oid, p.facet, p.value
      FROM pg_class AS c
     CROSS JOIN LATERAL (
           SELECT 'constraint ' || k.conname AS facet,
                  pg_get_constraintdef(k.oid)
                      || CASE WHEN EXISTS (SELECT FROM pg_trigger AS t
                                            WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')
                              THEN ' (its triggers are off)' ELSE '' END AS value
             FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype NOT IN ('n', 't')
            UNION ALL
           SELECT 'index ' || n.relname,
                  pg_get_indexdef(i.indexrelid)
                      || CASE WHEN i.indisvalid AND i.indisready AND i.indislive
                              THEN '' ELSE ' (not in use)' END
             FROM pg_index AS i
             JOIN pg_class AS n ON n.oid = i.indexrelid
            WHERE i.indrelid = c.oid
            UNION ALL
           SELECT 'rule ' || r.rulename,
                  pg_get_ruledef(r.oid) || CASE r.ev_enabled WHEN 'O' THEN '' ELSE ' (off)' END
             FROM pg_rewrite AS r
            WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
            UNION ALL
           SELECT 'policy ' || o.polname,
                  concat_ws(' ', CASE WHEN o.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                            o.polcmd, o.polroles::regrole[], pg_get_expr(o.polqual, o.polrelid),
                            'CHECK ' || pg_get_expr(o.polwithcheck, o.polrelid))
             FROM pg_policy AS o
            WHERE o.polrelid = c.oid
            UNION ALL
           SELECT 'inherits ' || h.inhparent::regclass, 'yes'
             FROM pg_inherits AS h
            WHERE h.inhrelid = c.oid
            UNION ALL
           SELECT 'inherited by ' || h.inhrelid::regclass, 'yes'
             FROM pg_inherits AS h
            WHERE h.inhparent = c.oid
            UNION ALL
           SELECT 'published by ' || b.pubname, 'yes'
             FROM pg_publication_rel AS e
             JOIN pg_publication AS b ON b.oid = e.prpubid
            WHERE e.prrelid = c.oid) AS p
     WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
$$;
