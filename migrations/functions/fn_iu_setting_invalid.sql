-- grant: owner only
-- What a value of a setting should be, in words, when it is not; NULL when it is good, and for
-- keys that are no settings.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_setting_invalid(p_key text, p_value jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE
        WHEN p_key = 'iu_core.unknown_event_types'
             AND coalesce(p_value NOT IN ('"refuse"', '"inert"'), true)
            THEN 'should be "refuse" or "inert"'
        WHEN p_key = 'iu_core.delivery_live_routes'
             AND coalesce(CASE WHEN pg_catalog.jsonb_typeof(p_value) = 'array' THEN
                     pg_catalog.jsonb_array_length(p_value) > 1000
                     OR (SELECT pg_catalog.count(DISTINCT e.route) <> pg_catalog.count(*)
                                OR pg_catalog.bool_or(
                                       pg_catalog.jsonb_typeof(e.route) <> 'string'
                                       OR NOT iu_core.fn_iu_is_line(e.route #>> '{}', 200))
                           FROM pg_catalog.jsonb_array_elements(p_value) AS e(route))
                 ELSE true END, false)
            THEN 'should be a list of at most 1000 different names of routes, each one line of 1 to 200 characters'
    END
$$;
