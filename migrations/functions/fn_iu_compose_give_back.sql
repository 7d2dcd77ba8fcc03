-- grant: owner only
-- Gives back some of the keys that this call has claimed; answers the claims that stay.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_give_back(p_claimed uuid[], p_unwanted uuid[])
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    DELETE FROM iu_core.iu_piece_collection AS c
     WHERE c.collection_id = ANY (p_unwanted) AND c.collection_id = ANY (p_claimed);
    RETURN ARRAY(SELECT c.id FROM unnest(p_claimed) AS c(id) WHERE c.id <> ALL (p_unwanted));
END
$$;
