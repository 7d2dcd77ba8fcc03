-- grant: owner only
-- What belongs to a relation beside its columns: {"index <name>": "<definition>", …} of constraints,
-- indexes, rules, policies, relations that inherit, and the numbers of a sequence.
-- A constraint whose triggers are off and an index that is not in use say so.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_parts(p_relation oid)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(jsonb_object_agg(p.name, p.definition), '{}')
      FROM (SELECT 'constraint ' || k.conname AS name,
                   pg_get_constraintdef(k.oid)
                       || CASE WHEN EXISTS (SELECT FROM pg_trigger AS t
                                             WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')
                               THEN ' (its triggers are off)' ELSE '' END AS definition
              FROM pg_constraint AS k
             WHERE k.conrelid = p_relation AND k.contype NOT IN ('n', 't')
            UNION ALL
            SELECT 'index ' || c.relname,
                   pg_get_indexdef(i.indexrelid)
                       || CASE WHEN i.indisvalid AND i.indisready AND i.indislive
                               THEN '' ELSE ' (not in use)' END
              FROM pg_index AS i
              JOIN pg_class AS c ON c.oid = i.indexrelid
             WHERE i.indrelid = p_relation
            UNION ALL
            SELECT 'rule ' || r.rulename,
                   pg_get_ruledef(r.oid) || CASE r.ev_enabled WHEN 'O' THEN '' ELSE ' (off)' END
              FROM pg_rewrite AS r
             WHERE r.ev_class = p_relation AND r.rulename <> '_RETURN'
            UNION ALL
            SELECT 'policy ' || o.polname,
                   concat_ws(' ', CASE WHEN o.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                             o.polcmd, o.polroles::regrole[], pg_get_expr(o.polqual, o.polrelid),
                             'CHECK ' || pg_get_expr(o.polwithcheck, o.polrelid))
              FROM pg_policy AS o
             WHERE o.polrelid = p_relation
            UNION ALL
            SELECT 'inherits', h.inhparent::regclass::text
              FROM pg_inherits AS h
             WHERE h.inhrelid = p_relation
            UNION ALL
            SELECT 'inherited by ' || h.inhrelid::regclass, 'yes'
              FROM pg_inherits AS h
             WHERE h.inhparent = p_relation
            UNION ALL
            SELECT 'numbers',
                   concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
                             s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' END)
              FROM pg_sequence AS s
             WHERE s.seqrelid = p_relation) AS p
$$;
