-- grant: owner only
-- The version of a family that stands next to a number in its chain, withdrawn ones passed over:
-- the nearest lower one, or the nearest higher. NULL when there is none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_neighbour(
    p_family_id uuid, p_number integer, p_higher boolean)
RETURNS uuid
LANGUAGE sql STABLE
AS $$
    SELECT v.template_collection_id
      FROM iu_core.iu_collection_template_version AS v
     WHERE v.family_id = p_family_id
       AND v.status <> 'withdrawn'
       AND CASE WHEN p_higher THEN v.version_number > p_number ELSE v.version_number < p_number END
     ORDER BY abs(v.version_number - p_number)
     LIMIT 1
$$;
