-- grant: owner only
-- The item, as the one that newly composes its instance.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_won(p_item iu_core.iu_compose_item)
RETURNS iu_core.iu_compose_item
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    p_item.status := 'ok';
    p_item.claimed := true;
    RETURN p_item;
END
$$;
