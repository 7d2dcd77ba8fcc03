-- grant: owner only
-- The event with its verdict.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_decide(
    p_item iu_core.iu_event_item, p_status text, p_details jsonb)
RETURNS iu_core.iu_event_item
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    p_item.status := p_status;
    p_item.details := p_details;
    RETURN p_item;
END
$$;
