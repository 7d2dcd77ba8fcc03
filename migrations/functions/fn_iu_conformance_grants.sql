-- grant: owner only
-- What an access control list gives, by whom it gives it to: {"<p_of>grants to <role>": "<rights>"}.
-- Who gave it does not matter. Of NULL, {}.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_grants(p_of text, p_acl aclitem[])
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(jsonb_object_agg(p_of || 'grants to ' || g.grantee, g.rights), '{}')
      FROM (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END AS grantee,
                   string_agg(DISTINCT (a.privilege_type
                                  || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                              COLLATE "C", ', ') AS rights
              FROM aclexplode(p_acl) AS a
             GROUP BY a.grantee) AS g
$$;
