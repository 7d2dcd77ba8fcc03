-- grant: owner only
-- What is wrong with a list of edits before it is known what they apply to, as a JSON array of
-- fn_iu_field_error. An edit is one of
--   {op: insert, position, piece}    the piece will stand at the position
--   {op: replace, position, piece}
--   {op: remove, position}
--   {op: move, position, to}         taken out, it will stand at `to`
-- with positions from 1, in the list as the edit before left it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_edits_errors(p_edits jsonb)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    v_errors jsonb := '[]';
    v_edit   jsonb;
    v_at     text;
    v_field  text;
BEGIN
    IF p_edits IS NULL OR jsonb_typeof(p_edits) <> 'array'
       OR jsonb_array_length(p_edits) NOT BETWEEN 1 AND 1000 THEN
        RETURN jsonb_build_array(iu_core.fn_iu_field_error(
            '/edits', 'edits', 'must be a list of 1 to 1000 edits'));
    END IF;
    FOR v_edit, v_at IN
        SELECT e.edit, '/edits/' || (e.place - 1)
          FROM jsonb_array_elements(p_edits) WITH ORDINALITY AS e(edit, place) ORDER BY e.place
    LOOP
        IF jsonb_typeof(v_edit) <> 'object'
           OR coalesce(v_edit ->> 'op', '') NOT IN ('insert', 'replace', 'remove', 'move') THEN
            v_errors := v_errors || iu_core.fn_iu_field_error(
                v_at || '/op', 'op', 'must be insert, replace, remove or move');
            CONTINUE;
        END IF;
        FOREACH v_field IN ARRAY CASE v_edit ->> 'op' WHEN 'move' THEN ARRAY['position', 'to']
                                                      ELSE ARRAY['position'] END LOOP
            IF coalesce(v_edit ->> v_field, '') !~ '^[1-9][0-9]{0,5}$' THEN
                v_errors := v_errors || iu_core.fn_iu_field_error(
                    v_at || '/' || v_field, 'position', 'must be a position, from 1');
            END IF;
        END LOOP;
        IF v_edit ->> 'op' IN ('insert', 'replace') THEN
            v_errors := v_errors || iu_core.fn_iu_piece_spec_errors(v_edit -> 'piece', v_at || '/piece');
        END IF;
    END LOOP;
    RETURN v_errors;
END
$$;
