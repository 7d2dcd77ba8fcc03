-- grant: owner only
-- The event, as the one that was stored.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_won(p_item iu_core.iu_event_item)
RETURNS iu_core.iu_event_item
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    p_item.status := 'accepted';
    p_item.claimed := true;
    RETURN p_item;
END
$$;
