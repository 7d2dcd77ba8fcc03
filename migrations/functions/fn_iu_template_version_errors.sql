-- grant: owner only
-- What is wrong with the request for a next version, as a JSON array of fn_iu_field_error: it says
-- all its pieces, or the edits to the current ones, or that nothing but the schema is another.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_version_errors(
    p_family_key text, p_pieces jsonb, p_edits jsonb, p_keeps_schema boolean)
RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT iu_core.fn_iu_template_key_errors('/family', p_family_key, false) || CASE
        WHEN (p_pieces IS NOT NULL AND p_edits IS NOT NULL)
             OR (p_pieces IS NULL AND p_edits IS NULL AND p_keeps_schema) THEN jsonb_build_array(
            iu_core.fn_iu_field_error('', 'either', 'must have either pieces or edits'))
        WHEN p_pieces IS NOT NULL THEN iu_core.fn_iu_piece_specs_errors(p_pieces, '/pieces')
        WHEN p_edits IS NOT NULL THEN iu_core.fn_iu_edits_errors(p_edits)
        ELSE '[]'::jsonb
    END
$$;
