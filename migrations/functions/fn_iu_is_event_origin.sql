-- grant: owner only
-- Whether a text says where a webhook has one of its event's attributes: {"header"} or
-- {"expression"}, with a text of 1 to 2000 characters. NULL does: by the kind of its signature.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_is_event_origin(p_text text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT p_text IS NULL OR coalesce(
               CASE WHEN json_typeof(p_text::json) = 'object' THEN (
                    SELECT count(*) = 1 AND bool_and(
                               o.key IN ('header', 'expression')
                               AND json_typeof(o.value) = 'string'
                               AND length(o.value #>> '{}') BETWEEN 1 AND 2000)
                      FROM json_each(p_text::json) AS o) END, false)
$$;
