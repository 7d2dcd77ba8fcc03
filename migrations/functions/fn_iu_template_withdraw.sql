-- grant: iu_app
-- Takes a wrong version out of the chain of its family, for good; if it was current its predecessor
-- is current again: {"status": "ok", "template_collection_id", "current", "warnings"}.
--   p_expected_revisions  of the version chain, that the author has seen; NULL: whichever
--   p_reason              required
--   current               the key of the current version afterwards, null when there is none
--   warnings              unit_superseded, unit_retired: what the current version holds
-- Takes the family's lock, for which composing waits: a version with instances is never withdrawn.
-- Refusals, with nothing written: invalid_input, template_authoring_gate_closed,
-- template_collection_not_found, template_not_marked, operation_state (withdrawn already, or in no
-- chain), precondition_failed, template_in_use.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_withdraw(
    p_ref text, p_expected_revisions bigint[], p_reason text,
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
    v_answer := iu_core.fn_iu_template_withdraw_work(p_ref, p_expected_revisions, p_reason, p_actor);
    RETURN iu_core.fn_iu_done(
        'withdraw_template', v_answer, p_actor, p_principal, p_request_id,
        (v_answer ->> 'template_collection_id')::uuid,
        p_about => jsonb_build_object('template', p_ref, 'reason', p_reason));
EXCEPTION WHEN SQLSTATE 'PFREF' THEN
    GET STACKED DIAGNOSTICS v_code = MESSAGE_TEXT, v_details = PG_EXCEPTION_DETAIL;
    RETURN iu_core.fn_iu_refuse(
        'withdraw_template', v_code, v_details::jsonb, p_actor, p_principal, p_request_id);
END
$$;
