-- grant: iu_app
-- Gives a marked template without a version its place in the chain of its family; family and number
-- are those of its key: {"status": "ok", "template_collection_id", "warnings"}. Above every other
-- number it becomes current and supersedes; otherwise it is superseded by the next higher one.
--   p_title, p_description  of the family, when this is its first version
--   p_expected_revisions    of the version chain, that the author has seen; NULL: whichever
-- Takes the family's lock.
-- Refusals, with nothing written: template_authoring_gate_closed, template_collection_not_found,
-- template_not_marked, already_exists (it has a version), precondition_failed.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_register_version(
    p_ref text, p_title text, p_description text, p_expected_revisions bigint[], p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_answer  jsonb;
    v_code    text;
    v_details text;
BEGIN
    v_answer := iu_core.fn_iu_template_register_work(
        p_ref, p_title, p_description, p_expected_revisions, p_reason, p_actor);
    RETURN iu_core.fn_iu_done(
        'register_template_version', v_answer, p_actor, p_principal, p_request_id,
        (v_answer ->> 'template_collection_id')::uuid,
        p_about => jsonb_build_object('template', p_ref, 'reason', p_reason));
EXCEPTION WHEN SQLSTATE 'PFREF' THEN
    GET STACKED DIAGNOSTICS v_code = MESSAGE_TEXT, v_details = PG_EXCEPTION_DETAIL;
    RETURN iu_core.fn_iu_refuse(
        'register_template_version', v_code, v_details::jsonb, p_actor, p_principal, p_request_id);
END
$$;
