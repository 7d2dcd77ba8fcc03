-- grant: owner only
-- All that can be said of the schema's tables, views, sequences and types but where and how they are
-- stored. A facet without a value is none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_relations()
RETURNS TABLE (class regclass, object oid, facet text, value text)
LANGUAGE sql STABLE
AS $$
    SELECT 'pg_class'::regclass, c.oid, f.facet, f.value
      FROM pg_class AS c
      LEFT JOIN pg_sequence AS s ON s.seqrelid = c.oid
     CROSS JOIN LATERAL (
           VALUES ('owner', pg_get_userbyid(c.relowner)::text),
                  ('persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END),
                  ('row security', CASE WHEN c.relforcerowsecurity THEN 'forced'
                                        WHEN c.relrowsecurity THEN 'on' END),
                  ('options', CASE c.relkind WHEN 'v' THEN array_to_string(c.reloptions, ', ') END),
                  ('definition', CASE WHEN c.relkind IN ('v', 'm') THEN encode(
                      sha256(convert_to(pg_get_viewdef(c.oid), 'UTF8')), 'hex') END),
                  ('numbers', CASE c.relkind WHEN 'S' THEN concat_ws(' ',
                      format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
                      s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' END) END)
            UNION ALL
           SELECT * FROM iu_core.fn_iu_conformance_grants(coalesce(c.relacl,
               acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)))) AS f(facet, value)
     WHERE c.relnamespace = 'iu_core'::regnamespace
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, f.facet, f.value
      FROM pg_type AS t
     CROSS JOIN LATERAL (
           SELECT 'owner' AS facet, pg_get_userbyid(t.typowner)::text AS value
            UNION ALL
           SELECT 'domain of', concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
                                         CASE WHEN t.typcollation <> b.typcollation
                                              THEN 'COLLATE ' || t.typcollation::regcollation END,
                                         CASE WHEN t.typnotnull THEN 'NOT NULL' END,
                                         'DEFAULT ' || t.typdefault)
             FROM pg_type AS b
            WHERE t.typtype = 'd' AND b.oid = t.typbasetype
            UNION ALL
           SELECT 'constraint ' || k.conname, pg_get_constraintdef(k.oid)
             FROM pg_constraint AS k
            WHERE k.contypid = t.oid AND k.contype <> 'n'
            UNION ALL
           SELECT * FROM iu_core.fn_iu_conformance_grants(
               coalesce(t.typacl, acldefault('T', t.typowner)))) AS f
     WHERE t.typnamespace = 'iu_core'::regnamespace
    UNION ALL
    SELECT CASE c.relkind WHEN 'c' THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END,
           CASE c.relkind WHEN 'c' THEN c.reltype ELSE c.oid END, p.facet, p.value
      FROM (SELECT * FROM iu_core.fn_iu_conformance_columns()
            UNION ALL
            SELECT * FROM iu_core.fn_iu_conformance_parts()) AS p
      JOIN pg_class AS c ON c.oid = p.relation
$$;
