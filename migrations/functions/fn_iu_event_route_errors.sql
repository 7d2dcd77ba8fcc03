-- grant: owner only
-- What is wrong with an event route as it would be stored, as fn_iu_invalid_input refuses it; NULL
-- when all is right. Whether its expressions are CEL is the service's to say.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_route_errors(
    p_command text, p_route_key text, p_pattern text, p_filter text, p_template text,
    p_suffix text, p_mapping text, p_emit_mode text, p_route_actor text, p_description text,
    p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_text constant integer := 2000;  -- characters of an expression
BEGIN
    RETURN iu_core.fn_iu_invalid_input(p_command,
        ARRAY['/key', '/event_type', '/filter', '/template', '/suffix', '/mapping', '/emit_mode',
              '/actor', '/description', '/reason'],
        ARRAY['should be 1 to 63 lower-case letters, digits, ., _ or -',
              'should be a type, or the beginning of types and an asterisk: at most 200 characters',
              'should be an expression of 1 to 2000 characters',
              'should be a UUID, tpl:<group>:<name> or tpl:<group>:<name>/v<number>',
              'should be an expression of 1 to 2000 characters',
              'should be an object of expressions of 1 to 2000 characters',
              'should be dry_run or live', 'should be an actor''s tag',
              'should be at most 2000 characters', 'should be one line of 1 to 500 characters'],
        ARRAY[p_route_key ~ '^[a-z0-9][a-z0-9._-]{0,62}$',
              iu_core.fn_iu_is_line(p_pattern, 200) AND p_pattern !~ '\*.',
              p_filter IS NULL OR length(p_filter) BETWEEN 1 AND v_text,
              p_template ~ ('^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|'
                            'tpl:[a-z0-9-]+:[a-z0-9-]+([/@]v[1-9][0-9]{0,8})?)$'),
              p_suffix IS NULL OR length(p_suffix) BETWEEN 1 AND v_text,
              p_mapping IS NULL OR CASE WHEN json_typeof(p_mapping::json) = 'object' THEN NOT EXISTS (
                  SELECT FROM json_each(p_mapping::json) AS m
                   WHERE json_typeof(m.value) <> 'string'
                      OR length(m.value #>> '{}') NOT BETWEEN 1 AND v_text) END IS TRUE,
              p_emit_mode IN ('dry_run', 'live'), iu_core.fn_iu_is_actor(p_route_actor),
              length(p_description) <= 2000, iu_core.fn_iu_is_line(p_reason, 500)],
        p_actor, p_principal, p_request_id);
END
$$;
