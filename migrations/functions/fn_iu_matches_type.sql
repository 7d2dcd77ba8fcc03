-- grant: owner only
-- Whether an event type is one of a pattern's: the type itself, or the beginning of types and an
-- asterisk.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_matches_type(p_event_type text, p_pattern text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT p_event_type = p_pattern
        OR (right(p_pattern, 1) = '*' AND starts_with(p_event_type, left(p_pattern, -1)))
$$;
