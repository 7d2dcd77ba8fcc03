-- grant: iu_app
-- Marks a plain collection as a template under a key that nobody has:
-- {"status": "ok", "template_collection_id", "warnings"}. It has no place in a version chain until
-- fn_iu_template_register_version gives it one, but can be composed from, and keeps its units in use.
--   p_template_key   such as tpl:file:status-report/v1, also with @v1
--   p_schema, p_empty_data_errors  as in fn_iu_template_create
--   warnings         unit_superseded: it holds a unit that has a revision
-- Takes the lock of the key's family.
-- Refusals: invalid_input (also: the collection is an instance), template_authoring_gate_closed,
-- template_collection_not_found, unit_not_active (it holds a draft or a retired unit),
-- already_exists (the collection is marked, or the key is taken).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_mark(
    p_collection_id uuid, p_template_key text, p_reason text,
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
    v_answer := iu_core.fn_iu_template_mark_work(
        p_collection_id, p_template_key, p_reason, p_actor, p_schema, p_empty_data_errors);
    RETURN iu_core.fn_iu_done(
        'mark_template', v_answer, p_actor, p_principal, p_request_id,
        (v_answer ->> 'template_collection_id')::uuid,
        p_about => jsonb_build_object(
            'collection_id', p_collection_id, 'template_key', p_template_key, 'reason', p_reason));
EXCEPTION WHEN SQLSTATE 'PFREF' THEN
    GET STACKED DIAGNOSTICS v_code = MESSAGE_TEXT, v_details = PG_EXCEPTION_DETAIL;
    RETURN iu_core.fn_iu_refuse(
        'mark_template', v_code, v_details::jsonb, p_actor, p_principal, p_request_id);
END
$$;
