-- grant: owner only
-- The names of the attributes in which the contents of two events differ, sorted. Both are RFC 8785
-- text, so equal values are equal texts.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_differences(p_stored json, p_sent json)
RETURNS text[]
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(array_agg(coalesce(o.key, n.key) ORDER BY coalesce(o.key, n.key)), '{}')
      FROM json_each(p_stored) AS o
      FULL JOIN json_each(p_sent) AS n ON n.key = o.key
     WHERE o.value::text IS DISTINCT FROM n.value::text
$$;
