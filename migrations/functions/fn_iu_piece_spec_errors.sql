-- grant: owner only
-- What is wrong with one piece of a request, as a JSON array of fn_iu_field_error. A piece is a
-- role with either a unit that is there, {role, unit_id}, or a content, {role, media_type, title,
-- body, axes}. p_pointer is where it stands in the request.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_spec_errors(p_spec jsonb, p_pointer text)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    v_uuid   constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
    v_errors jsonb := '[]';
BEGIN
    IF p_spec IS NULL OR jsonb_typeof(p_spec) <> 'object' THEN
        RETURN jsonb_build_array(iu_core.fn_iu_field_error(p_pointer, 'object', 'must be a piece'));
    END IF;
    IF coalesce(p_spec ->> 'role', '') !~ '^[a-z][a-z0-9_-]{0,62}$' THEN
        v_errors := v_errors || iu_core.fn_iu_field_error(
            p_pointer || '/role', 'role', 'must match [a-z][a-z0-9_-]{0,62}');
    END IF;
    IF NOT p_spec ? 'unit_id' THEN
        RETURN v_errors || iu_core.fn_iu_content_errors(
            p_pointer, p_spec ->> 'media_type', p_spec ->> 'title', p_spec ->> 'body', p_spec -> 'axes');
    END IF;
    IF coalesce(p_spec ->> 'unit_id', '') !~ v_uuid THEN
        v_errors := v_errors || iu_core.fn_iu_field_error(
            p_pointer || '/unit_id', 'uuid', 'must be a UUID');
    END IF;
    IF p_spec ?| ARRAY['media_type', 'title', 'body', 'axes'] THEN
        v_errors := v_errors || iu_core.fn_iu_field_error(
            p_pointer, 'either', 'names a unit and has a content: only one of the two can be');
    END IF;
    RETURN v_errors;
END
$$;
