-- grant: owner only
-- Gives back the claims on keys that carry an unreleased tombstone; answers the claims that stay.
-- It must be a later statement than the claim: a rollback that was in flight when the claim began
-- to wait has committed its tombstone only now. An earlier look is only a short cut.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_bury(p_claimed uuid[])
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_buried uuid[];
BEGIN
    SELECT array_agg(DISTINCT t.instance_collection_id) INTO v_buried
      FROM iu_core.iu_instance_tombstone AS t
     WHERE t.instance_collection_id = ANY (p_claimed) AND t.released_at IS NULL;
    IF v_buried IS NULL THEN
        RETURN p_claimed;
    END IF;
    RETURN iu_core.fn_iu_compose_give_back(p_claimed, v_buried);
END
$$;
