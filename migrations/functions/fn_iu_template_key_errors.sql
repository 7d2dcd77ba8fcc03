-- grant: owner only
-- What is wrong with a family's key (p_numbered false) or a template's key, as a JSON array of
-- fn_iu_field_error.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_key_errors(
    p_pointer text, p_key text, p_numbered boolean)
RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE
        WHEN length(p_key) <= 211
             AND p_key ~ CASE WHEN p_numbered THEN '^tpl:[a-z0-9-]+:[a-z0-9-]+/v[1-9][0-9]{0,8}$'
                                              ELSE '^tpl:[a-z0-9-]+:[a-z0-9-]+$' END
        THEN '[]'::jsonb
        ELSE jsonb_build_array(iu_core.fn_iu_field_error(p_pointer, 'key', CASE
            WHEN p_numbered THEN 'must be a template''s key such as tpl:wf:onboarding/v2'
                            ELSE 'must be a family''s key such as tpl:wf:onboarding' END))
    END
$$;
