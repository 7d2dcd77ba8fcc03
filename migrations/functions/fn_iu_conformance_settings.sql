-- grant: owner only
-- What sessions start with: those of a role, or (p_role 0) whosever in this database. Names with a dot
-- are those of extensions and applications, and may be secrets: they are not told, but for PL/pgSQL's.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_settings(p_role oid)
RETURNS TABLE (facet text, value text)
LANGUAGE sql STABLE
AS $$
    SELECT concat_ws(' ', 'set', split_part(s.setting, '=', 1),
                     CASE WHEN p_role <> 0 AND r.setdatabase <> 0 THEN 'here' END),
           substr(s.setting, strpos(s.setting, '=') + 1)
      FROM pg_db_role_setting AS r
     CROSS JOIN LATERAL unnest(r.setconfig) AS s(setting)
      LEFT JOIN pg_database AS d ON d.oid = r.setdatabase
     WHERE r.setrole = p_role
       AND (d.datname = current_database() OR r.setdatabase = 0 AND p_role <> 0)
       AND (split_part(s.setting, '=', 1) NOT LIKE '%.%' OR s.setting LIKE 'plpgsql.%')
$$;
