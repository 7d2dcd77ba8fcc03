-- grant: owner only
-- All that can be said of a table, view or sequence but where and how it is stored.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_relation(p_relation oid)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'owner', pg_get_userbyid(c.relowner),
               'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
               'row security', CASE WHEN c.relforcerowsecurity THEN 'forced'
                                    WHEN c.relrowsecurity THEN 'on' END,
               'options', CASE c.relkind WHEN 'v' THEN array_to_string(c.reloptions, ', ') END,
               'definition', CASE WHEN c.relkind IN ('v', 'm') THEN encode(
                   sha256(convert_to(pg_get_viewdef(c.oid), 'UTF8')), 'hex') END))
           || iu_core.fn_iu_conformance_grants('', coalesce(c.relacl,
                  acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)))
           || CASE c.relkind WHEN 'S' THEN '{}' ELSE iu_core.fn_iu_conformance_columns(c.oid) END
           || iu_core.fn_iu_conformance_parts(c.oid)
      FROM pg_class AS c
     WHERE c.oid = p_relation
$$;
