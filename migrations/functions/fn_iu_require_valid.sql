-- grant: owner only
-- Raises invalid_input when there is any error: p_errors is a JSON array of fn_iu_field_error.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_require_valid(p_errors jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF p_errors <> '[]'::jsonb THEN
        PERFORM iu_core.fn_iu_raise_refusal('invalid_input', jsonb_build_object('errors', p_errors));
    END IF;
END
$$;
