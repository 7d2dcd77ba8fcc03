-- grant: owner only
-- Records one refusal and gives back the answer that carries it: {"status": code} and its members.
-- The refusal is returned, not raised, because raising would erase the record.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_refuse(
    p_command text, p_code text, p_details jsonb, p_actor text, p_principal text, p_request_id uuid,
    p_subject_id uuid DEFAULT NULL, p_template_collection_id uuid DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM iu_core.fn_iu_command_record_write(
        p_command, ARRAY['refused'], ARRAY[p_code], ARRAY[p_subject_id],
        ARRAY[p_template_collection_id], ARRAY[p_actor], ARRAY[p_principal],
        ARRAY[p_request_id], ARRAY[p_details]);
    RETURN jsonb_build_object('status', p_code) || coalesce(p_details, '{}'::jsonb);
END
$$;
