-- grant: owner only
-- Refuses a command for its input, with everything that is wrong at once; NULL when all is right.
-- Three arrays of one length: JSON pointers, what each of them should be, and whether it is
-- (NULL counts as wrong).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_invalid_input(
    p_command text, p_pointers text[], p_details text[], p_right boolean[],
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_errors jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('pointer', c.pointer, 'rule', 'value', 'detail', c.detail)
                     ORDER BY c.place)
      INTO v_errors
      FROM unnest(p_pointers, p_details, p_right) WITH ORDINALITY AS c(pointer, detail, is_right, place)
     WHERE c.is_right IS NOT TRUE;
    IF v_errors IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN iu_core.fn_iu_refuse(p_command, 'invalid_input', jsonb_build_object('errors', v_errors),
                                p_actor, p_principal, p_request_id);
END
$$;
