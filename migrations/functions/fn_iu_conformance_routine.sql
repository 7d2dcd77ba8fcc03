-- grant: owner only
-- All that can be said of a function. Its definition is the SHA-256 of its body.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_routine(p_routine oid)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'owner', pg_get_userbyid(p.proowner),
               'signature', concat_ws(' ',
                   '(' || pg_get_function_arguments(p.oid) || ')',
                   'RETURNS ' || pg_get_function_result(p.oid), 'LANGUAGE ' || l.lanname, p.probin,
                   'COST ' || p.procost, 'ROWS ' || nullif(p.prorows, 0),
                   'SUPPORT ' || nullif(p.prosupport::oid, 0)::regproc),
               'definition', encode(sha256(convert_to(
                   coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), 'UTF8')), 'hex'),
               'volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable'
                                                ELSE 'volatile' END,
               'security', CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END,
               'strict', CASE WHEN p.proisstrict THEN 'yes' END,
               'leakproof', CASE WHEN p.proleakproof THEN 'yes' END,
               'parallel', CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END))
           || iu_core.fn_iu_conformance_grants('', coalesce(p.proacl, acldefault('f', p.proowner)))
           || coalesce((SELECT jsonb_object_agg(split_part(s.setting, '=', 1),
                                                substr(s.setting, strpos(s.setting, '=') + 1))
                          FROM unnest(p.proconfig) AS s(setting)), '{}')
      FROM pg_proc AS p
      JOIN pg_language AS l ON l.oid = p.prolang
     WHERE p.oid = p_routine
$$;
