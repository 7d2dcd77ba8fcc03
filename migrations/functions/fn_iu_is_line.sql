-- grant: owner only
-- Whether a text is one line for people: 1 to p_longest characters, none of them a control
-- character (Unicode's category Cc, spelled out because [:cntrl:] depends on the locale).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_is_line(p_text text, p_longest integer)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(pg_catalog.length(p_text) BETWEEN 1 AND p_longest
                    AND p_text !~ '[\u0001-\u001f\u007f-\u009f]', false)
$$;
