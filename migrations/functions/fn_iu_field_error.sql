-- grant: owner only
-- One entry of the `errors` of invalid_input: where in the request (a JSON pointer), which rule is
-- broken (a stable word), and what would be right.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_field_error(p_pointer text, p_rule text, p_detail text)
RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.jsonb_build_object('pointer', p_pointer, 'rule', p_rule, 'detail', p_detail)
$$;
