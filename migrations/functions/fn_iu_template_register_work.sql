-- grant: owner only
-- fn_iu_template_register_version without its last resort: raises its refusals.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_register_work(
    p_ref text, p_title text, p_description text, p_expected_revisions bigint[],
    p_reason text, p_actor text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now      timestamptz;
    v_template record;
    v_leases   uuid[];
BEGIN
    v_leases := iu_core.fn_iu_authoring_admit(NULL, p_actor);
    SELECT t.* INTO v_template FROM iu_core.fn_iu_template_lock(p_ref) AS t;
    IF v_template.version_status IS NOT NULL THEN
        PERFORM iu_core.fn_iu_raise_refusal(
            'already_exists', jsonb_build_object('key', v_template.template_key));
    END IF;
    PERFORM iu_core.fn_iu_require_revision(v_template.family_key, p_expected_revisions);

    v_now := iu_core.fn_iu_now();
    PERFORM iu_core.fn_iu_template_enter_chain(
        iu_core.fn_iu_template_family_touch(
            v_template.family_key, p_title, p_description, p_actor, v_now),
        v_template.template_collection_id, p_actor, p_reason, v_now);
    RETURN jsonb_build_object(
        'status', 'ok', 'template_collection_id', v_template.template_collection_id,
        'warnings', iu_core.fn_iu_piece_list_warnings(
            iu_core.fn_iu_composition_digests(v_template.composition_digest)),
        'lease_ids', v_leases);
END
$$;
