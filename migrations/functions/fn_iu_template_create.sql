-- grant: iu_app
-- Makes a family with its first version, which is current at once:
-- {"status": "ok", "template_collection_id", "warnings"}.
--   p_pieces   a JSON list, see fn_iu_piece_spec_errors; contents that are not known yet become
--              active units, for which the gate of pieces must be open too
--   p_schema             by which data is judged: a JSON Schema as RFC 8785 text, which the caller
--                        has looked through; NULL: any data is right
--   p_empty_data_errors  what is wrong with {} by it, {"errors": [...]}; NULL: nothing
-- Takes the family's lock.
-- Refusals, with nothing written: invalid_input, template_authoring_gate_closed,
-- piece_write_gate_closed, already_exists (the family has a template), unit_not_found,
-- unit_not_active.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_create(
    p_family_key text, p_title text, p_description text, p_pieces jsonb, p_reason text,
    p_actor text, p_principal text, p_request_id uuid, p_schema text DEFAULT NULL,
    p_empty_data_errors json DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_answer  jsonb;
    v_code    text;
    v_details text;
BEGIN
    v_answer := iu_core.fn_iu_template_create_work(
        p_family_key, p_title, p_description, p_pieces, p_reason, p_actor, p_schema,
        p_empty_data_errors);
    RETURN iu_core.fn_iu_done(
        'create_template', v_answer, p_actor, p_principal, p_request_id,
        (v_answer ->> 'template_collection_id')::uuid,
        p_about => jsonb_build_object('family', p_family_key, 'reason', p_reason));
EXCEPTION WHEN SQLSTATE 'PFREF' THEN
    GET STACKED DIAGNOSTICS v_code = MESSAGE_TEXT, v_details = PG_EXCEPTION_DETAIL;
    RETURN iu_core.fn_iu_refuse(
        'create_template', v_code, v_details::jsonb, p_actor, p_principal, p_request_id);
END
$$;
