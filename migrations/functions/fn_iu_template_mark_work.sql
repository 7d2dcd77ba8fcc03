-- grant: owner only
-- fn_iu_template_mark without its last resort: raises its refusals.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_mark_work(
    p_collection_id uuid, p_template_key text, p_reason text, p_actor text, p_schema text,
    p_empty_data_errors json)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_key        text := translate(p_template_key, '@', '/');
    v_collection iu_core.iu_piece_collection;
    v_digests    text[];
    v_taken      text;
    v_leases     uuid[];
BEGIN
    PERFORM iu_core.fn_iu_require_valid(
        iu_core.fn_iu_template_key_errors('/template_key', v_key, true));
    v_leases := iu_core.fn_iu_authoring_admit(NULL, p_actor);
    PERFORM iu_core.fn_iu_lock('family', ARRAY[split_part(v_key, '/', 1)], false);

    SELECT c.* INTO v_collection
      FROM iu_core.iu_piece_collection AS c WHERE c.collection_id = p_collection_id;
    IF NOT FOUND THEN
        PERFORM iu_core.fn_iu_raise_refusal(
            'template_collection_not_found', jsonb_build_object('template', p_collection_id));
    ELSIF v_collection.is_instance THEN
        PERFORM iu_core.fn_iu_require_valid(jsonb_build_array(iu_core.fn_iu_field_error(
            '/collection_id', 'plain_collection', 'is an instance, which can''t be a template')));
    END IF;
    v_digests := iu_core.fn_iu_composition_digests(v_collection.composition_digest);

    INSERT INTO iu_core.iu_collection_template_registry
           (template_collection_id, template_key, composition_digest, piece_count,
            schema_digest, empty_data_errors, marked_by, marked_at, reason)
    VALUES (p_collection_id, v_key, v_collection.composition_digest, cardinality(v_digests),
            iu_core.fn_iu_template_schema_store(p_schema), p_empty_data_errors,
            p_actor, iu_core.fn_iu_now(), coalesce(p_reason, ''))
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT r.template_key INTO v_taken FROM iu_core.iu_collection_template_registry AS r
         WHERE r.template_collection_id = p_collection_id;
        PERFORM iu_core.fn_iu_raise_refusal(
            'already_exists', jsonb_build_object('key', coalesce(v_taken, v_key)));
    END IF;
    -- A template's collection bears the template's name.
    UPDATE iu_core.iu_piece_collection AS c SET collection_key = v_key
     WHERE c.collection_id = p_collection_id;
    PERFORM iu_core.fn_iu_piece_list_admit(v_digests, v_digests);
    RETURN jsonb_build_object('status', 'ok', 'template_collection_id', p_collection_id,
                              'warnings', iu_core.fn_iu_piece_list_warnings(v_digests),
                              'lease_ids', v_leases);
END
$$;
