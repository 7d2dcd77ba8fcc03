-- grant: owner only
-- The three roles, by kind and name: what each may, as whom it may act, who may act as it, and what its
-- sessions start with. Operators make logins of the service's role and of the dashboards': each is
-- told by itself. Of the owner there should be none.
-- Superusers and those who administer a role may act as it whether they are members or not, and
-- platforms make them so: they are not told. Before PostgreSQL 16 CREATEROLE administers every role.
-- Who administers is not asked of pg_has_role: it looks at what is committed last, and would tell of a
-- role that is being dropped what was never so.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_roles()
RETURNS TABLE (kind text, name text, facets jsonb)
LANGUAGE sql STABLE
AS $$
    WITH RECURSIVE roles AS (
        SELECT r.*
          FROM pg_roles AS r
         WHERE r.rolname IN ('iu_owner', 'iu_app', 'iu_reader')
    ), administrators AS (
        SELECT a.roleid AS of_role, a.member
          FROM roles AS r
          JOIN pg_auth_members AS a ON a.roleid = r.oid AND a.admin_option
         UNION
        SELECT s.of_role, a.member
          FROM administrators AS s
          JOIN pg_auth_members AS a ON a.roleid = s.member
    ), members AS (
        SELECT DISTINCT r.rolname AS of_role, m.rolname AS member
          FROM roles AS r
          JOIN pg_auth_members AS a ON a.roleid = r.oid
          JOIN pg_roles AS m ON m.oid = a.member
         WHERE NOT m.rolsuper
           AND NOT (m.rolcreaterole
                    AND (current_setting('server_version_num')::integer < 160000
                         OR EXISTS (SELECT FROM administrators AS s
                                    WHERE s.of_role = r.oid AND s.member = m.oid)))
    )
    SELECT 'config', 'role ' || r.rolname, jsonb_object_agg(f.facet, f.value)
      FROM roles AS r
     CROSS JOIN LATERAL (
           SELECT 'powers' AS facet,
                  concat_ws(' ', CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
                            CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
                            CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                            CASE WHEN r.rolreplication THEN 'REPLICATION' END,
                            CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END) AS value
            UNION ALL
           SELECT 'may become', coalesce(string_agg(
                      DISTINCT pg_get_userbyid(a.roleid) COLLATE "C", ', '), '')
             FROM pg_auth_members AS a
            WHERE a.member = r.oid
            UNION ALL
           SELECT 'members', coalesce(string_agg(m.member, ', ' ORDER BY m.member), '')
             FROM members AS m
            WHERE m.of_role = 'iu_owner'
           HAVING r.rolname = 'iu_owner'
            UNION ALL
           SELECT * FROM iu_core.fn_iu_conformance_settings(r.oid)) AS f
     GROUP BY r.rolname
    UNION ALL
    SELECT 'config', format('login %s of %s', m.member, m.of_role), '{}'
      FROM members AS m
     WHERE m.of_role <> 'iu_owner'
$$;
