-- grant: owner only
-- fn_iu_template_create without its last resort: raises its refusals.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_create_work(
    p_family_key text, p_title text, p_description text, p_pieces jsonb, p_reason text, p_actor text,
    p_schema text, p_empty_data_errors json)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now        timestamptz;
    v_roles      text[];
    v_digests    text[];
    v_collection uuid;
    v_leases     uuid[];
BEGIN
    PERFORM iu_core.fn_iu_require_valid(
        iu_core.fn_iu_template_key_errors('/family', p_family_key, false)
        || iu_core.fn_iu_piece_specs_errors(p_pieces, '/pieces'));
    v_leases := iu_core.fn_iu_authoring_admit(p_pieces, p_actor);
    PERFORM iu_core.fn_iu_lock('family', ARRAY[p_family_key], false);
    IF iu_core.fn_iu_template_highest_number(p_family_key) > 0 THEN
        PERFORM iu_core.fn_iu_raise_refusal(
            'already_exists', jsonb_build_object('key', p_family_key));
    END IF;
    PERFORM iu_core.fn_iu_require_units(p_pieces);

    SELECT array_agg(s.role ORDER BY s.place), array_agg(s.content_digest ORDER BY s.place)
      INTO v_roles, v_digests
      FROM iu_core.fn_iu_piece_specs_read(p_pieces) AS s;
    PERFORM iu_core.fn_iu_piece_list_admit(v_digests, '{}');
    v_now := iu_core.fn_iu_now();
    v_collection := iu_core.fn_iu_template_publish(
        iu_core.fn_iu_template_family_touch(p_family_key, p_title, p_description, p_actor, v_now),
        p_family_key || '/v1', v_roles, v_digests, p_pieces,
        iu_core.fn_iu_template_schema_store(p_schema), p_empty_data_errors, p_actor, p_reason, v_now);
    RETURN jsonb_build_object(
        'status', 'ok', 'template_collection_id', v_collection, 'warnings', '[]'::jsonb,
        'lease_ids', v_leases);
END
$$;
