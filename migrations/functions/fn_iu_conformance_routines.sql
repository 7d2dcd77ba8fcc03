-- grant: owner only
-- All that can be said of the schema's functions. The definition is the SHA-256 of the body. A facet
-- without a value is none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_routines()
RETURNS TABLE (class regclass, object oid, facet text, value text)
LANGUAGE sql STABLE
AS $$
    SELECT 'pg_proc'::regclass, p.oid, f.facet, f.value
      FROM pg_proc AS p
      JOIN pg_language AS l ON l.oid = p.prolang
     CROSS JOIN LATERAL (
           VALUES ('owner', pg_get_userbyid(p.proowner)::text),
                  ('signature', concat_ws(' ',
                      '(' || pg_get_function_arguments(p.oid) || ')',
                      'RETURNS ' || pg_get_function_result(p.oid), 'LANGUAGE ' || l.lanname, p.probin,
                      'COST ' || p.procost, 'ROWS ' || nullif(p.prorows, 0),
                      'SUPPORT ' || nullif(p.prosupport::oid, 0)::regproc)),
                  ('definition', encode(sha256(convert_to(
                      coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), 'UTF8')), 'hex')),
                  ('volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable'
                                                    ELSE 'volatile' END),
                  ('security', CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END),
                  ('strict', CASE WHEN p.proisstrict THEN 'yes' END),
                  ('leakproof', CASE WHEN p.proleakproof THEN 'yes' END),
                  ('parallel', CASE p.proparallel WHEN 's' THEN 'safe'
                                                  WHEN 'r' THEN 'restricted' END)
            UNION ALL
           SELECT * FROM iu_core.fn_iu_conformance_grants(
               coalesce(p.proacl, acldefault('f', p.proowner)))
            UNION ALL
           SELECT split_part(s.setting, '=', 1), substr(s.setting, strpos(s.setting, '=') + 1)
             FROM unnest(p.proconfig) AS s(setting)) AS f(facet, value)
     WHERE p.pronamespace = 'iu_core'::regnamespace
$$;
