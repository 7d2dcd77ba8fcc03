-- grant: owner only
-- Whether some undecided item's key is not among the claimed ones.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_has_unclaimed(
    p_items iu_core.iu_compose_item[], p_claimed uuid[])
RETURNS boolean
LANGUAGE sql VOLATILE
AS $$
    SELECT EXISTS (
        SELECT FROM unnest(p_items) AS i
          LEFT JOIN unnest(p_claimed) AS c(id) ON c.id = i.instance_id
         WHERE i.status IS NULL AND c.id IS NULL)
$$;
