-- grant: owner only
-- Two parts of one actor as one.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_sum(
    p_one iu_core.iu_compose_part, p_next iu_core.iu_compose_part)
RETURNS iu_core.iu_compose_part
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    p_one.first := least(p_one.first, p_next.first);
    p_one.principal := CASE WHEN p_one.principal = p_next.principal THEN p_one.principal END;
    p_one.pays := p_one.pays OR p_next.pays;
    p_one.items := p_one.items + p_next.items;
    p_one.told := p_one.told + p_next.told;
    p_one.composed := p_one.composed + p_next.composed;
    p_one.instances := CASE WHEN p_one.instances IS NULL THEN p_next.instances
                            ELSE p_one.instances || coalesce(p_next.instances, '') END;
    RETURN p_one;
END
$$;
