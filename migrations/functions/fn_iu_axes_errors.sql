-- grant: owner only
-- What is wrong with a unit's axes, an object of texts, as a JSON array of fn_iu_field_error.
-- NULL means none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_axes_errors(p_pointer text, p_axes jsonb)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF p_axes IS NULL THEN
        RETURN '[]'::jsonb;
    ELSIF jsonb_typeof(p_axes) <> 'object' THEN
        RETURN jsonb_build_array(iu_core.fn_iu_field_error(
            p_pointer, 'object', 'must be an object: axis and value'));
    END IF;
    RETURN coalesce((
        SELECT jsonb_agg(iu_core.fn_iu_field_error(
                   p_pointer || '/' || replace(replace(left(a.axis, 100), '~', '~0'), '/', '~1'),
                   'axis', 'must be a text under a name that matches [A-Za-z0-9][A-Za-z0-9._-]{0,62}')
               ORDER BY a.axis)
          FROM jsonb_each(p_axes) AS a(axis, value)
         WHERE a.axis !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' OR jsonb_typeof(a.value) <> 'string'),
        '[]'::jsonb);
END
$$;
