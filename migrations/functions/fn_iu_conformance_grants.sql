-- grant: owner only
-- What an access control list gives, by whom it gives it to: one row for each, PUBLIC included. Who
-- gave it does not matter.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_grants(p_acl aclitem[])
RETURNS TABLE (facet text, value text)
LANGUAGE sql STABLE
AS $$
    SELECT 'grants to ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END,
           string_agg(DISTINCT (a.privilege_type
                          || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                      COLLATE "C", ', ')
      FROM aclexplode(p_acl) AS a
     GROUP BY a.grantee
$$;
