-- grant: owner only
-- What is wrong with a list of pieces, as a JSON array of fn_iu_field_error.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_specs_errors(p_specs jsonb, p_pointer text)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF p_specs IS NULL OR jsonb_typeof(p_specs) <> 'array'
       OR jsonb_array_length(p_specs) NOT BETWEEN 1 AND 10000 THEN
        RETURN jsonb_build_array(iu_core.fn_iu_field_error(
            p_pointer, 'pieces', 'must be a list of 1 to 10000 pieces'));
    END IF;
    RETURN coalesce((
        SELECT jsonb_agg(e.error ORDER BY s.place, e.place)
          FROM jsonb_array_elements(p_specs) WITH ORDINALITY AS s(spec, place),
               jsonb_array_elements(iu_core.fn_iu_piece_spec_errors(
                   s.spec, p_pointer || '/' || (s.place - 1))) WITH ORDINALITY AS e(error, place)),
        '[]'::jsonb);
END
$$;
