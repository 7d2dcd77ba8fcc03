-- grant: iu_app
-- Makes a family's next version, which supersedes the current one by itself:
-- {"status": "ok", "template_collection_id", "supersedes", "warnings", "parameters_changed"}.
--   p_pieces              the whole list, see fn_iu_piece_spec_errors; NULL when there are edits
--   p_edits               edits to the current list, see fn_iu_edits_errors; NULL when there are pieces.
--                         Without either the list stays, and p_keeps_schema must be false
--   p_expected_revisions  of the version chain, that the author has seen; NULL: whichever
--   p_dry_run             (NULL is one, too) writes nothing but the command record, and answers
--                         {"status": "ok", "would_be", "pieces", "supersedes", "warnings",
--                         "parameters_changed", "chain_revision"}
--   p_keeps_schema        (NULL is so, too) data is judged as by the current version; otherwise by
--   p_schema, p_empty_data_errors  as in fn_iu_template_create
--   supersedes            the key of the version that was current, null when there was none
--   warnings              unit_superseded: the list keeps a unit that has a revision
--   parameters_changed    whether data is judged by another schema than by the current version
-- Takes the family's lock: of two authors at the same time the second finds the first one's version.
-- Refusals, with nothing written: invalid_input, template_authoring_gate_closed,
-- piece_write_gate_closed, template_family_not_found, precondition_failed, operation_state (no
-- number left), unit_not_found, no_change, unit_not_active.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_version_create(
    p_family_key text, p_pieces jsonb, p_edits jsonb, p_expected_revisions bigint[],
    p_dry_run boolean, p_reason text, p_actor text, p_principal text, p_request_id uuid,
    p_keeps_schema boolean DEFAULT true, p_schema text DEFAULT NULL,
    p_empty_data_errors json DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command constant text := 'create_template_version';
    v_answer  jsonb;
    v_code    text;
    v_details text;
BEGIN
    v_answer := iu_core.fn_iu_template_version_work(
        p_family_key, p_pieces, p_edits, p_expected_revisions, p_dry_run, p_reason, p_actor,
        p_keeps_schema IS NOT FALSE, p_schema, p_empty_data_errors);
    IF p_dry_run IS NOT FALSE THEN
        PERFORM iu_core.fn_iu_command_record_write(
            v_command, ARRAY['dry_run'], ARRAY['ok'], ARRAY[NULL::uuid], ARRAY[NULL::uuid],
            ARRAY[p_actor], ARRAY[p_principal], ARRAY[p_request_id], ARRAY[v_answer -> 'would_be']);
        RETURN v_answer;
    END IF;
    RETURN iu_core.fn_iu_done(
        v_command, v_answer, p_actor, p_principal, p_request_id,
        (v_answer ->> 'template_collection_id')::uuid,
        p_about => jsonb_build_object('family', p_family_key, 'reason', p_reason));
EXCEPTION WHEN SQLSTATE 'PFREF' THEN
    GET STACKED DIAGNOSTICS v_code = MESSAGE_TEXT, v_details = PG_EXCEPTION_DETAIL;
    RETURN iu_core.fn_iu_refuse(
        v_command, v_code, v_details::jsonb, p_actor, p_principal, p_request_id);
END
$$;
