-- grant: iu_app
-- The contract's orchestrator: one event, one template's collection id, one suffix. The single call
-- is the array of one; the wider form has another name, because a defaulted eighth argument would
-- make the old call ambiguous. Answers {"status": "ok" | "idempotent_replay" | refusal code, ...}.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_auto_instantiate_from_event(
    p_event_id uuid, p_event_type text, p_template_collection_id uuid, p_suffix text,
    p_actor text, p_emit_mode text, p_reason text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_answer jsonb;
BEGIN
    SELECT to_jsonb(m) - 'ordinal' - 'details' || m.details INTO v_answer
      FROM iu_core.fn_iu_auto_instantiate_many(
               ARRAY[p_event_id], ARRAY[p_event_type], ARRAY[p_template_collection_id::text],
               ARRAY[p_suffix], ARRAY[p_actor], ARRAY[p_emit_mode], ARRAY[p_reason],
               ARRAY[NULL::text], ARRAY[false], ARRAY[NULL::text], ARRAY['sql:' || session_user],
               ARRAY[gen_random_uuid()], NULL, false) AS m;
    RETURN jsonb_strip_nulls(v_answer);
END
$$;
