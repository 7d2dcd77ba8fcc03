-- grant: owner only
-- fn_iu_template_withdraw without its last resort: raises its refusals.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_withdraw_work(
    p_ref text, p_expected_revisions bigint[], p_reason text, p_actor text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now       timestamptz;
    v_template  record;
    v_instances bigint;
    v_current   record;
    v_digests   text[];
    v_leases    uuid[];
BEGIN
    PERFORM iu_core.fn_iu_require_valid(CASE WHEN coalesce(p_reason, '') = '' THEN jsonb_build_array(
        iu_core.fn_iu_field_error('/reason', 'missing', 'must say why')) ELSE '[]'::jsonb END);
    v_leases := iu_core.fn_iu_authoring_admit(NULL, p_actor);
    SELECT t.* INTO v_template FROM iu_core.fn_iu_template_lock(p_ref) AS t;
    IF coalesce(v_template.version_status, 'unversioned') NOT IN ('current', 'superseded') THEN
        PERFORM iu_core.fn_iu_raise_refusal('operation_state', jsonb_build_object(
            'state', coalesce(v_template.version_status, 'unversioned'), 'allowed', '[]'::jsonb));
    END IF;
    PERFORM iu_core.fn_iu_require_revision(v_template.family_key, p_expected_revisions);
    v_instances := iu_core.fn_iu_template_instance_count(v_template.template_collection_id);
    IF v_instances > 0 THEN
        PERFORM iu_core.fn_iu_raise_refusal('template_in_use', jsonb_build_object(
            'template_key', v_template.template_key, 'instances', v_instances));
    END IF;

    v_now := iu_core.fn_iu_now();
    PERFORM iu_core.fn_iu_template_leave_chain(
        v_template.template_collection_id, p_actor, p_reason, v_now);
    PERFORM iu_core.fn_iu_template_family_touch(v_template.family_key, NULL, NULL, p_actor, v_now);
    SELECT t.template_key, t.composition_digest INTO v_current
      FROM iu_core.fn_iu_template_resolve(ARRAY[v_template.family_key]) AS t;
    -- A unit that only superseded versions used may have been retired, or be about to be.
    v_digests := iu_core.fn_iu_composition_digests(v_current.composition_digest);
    PERFORM iu_core.fn_iu_units_share(v_digests);
    RETURN jsonb_build_object(
        'status', 'ok', 'template_collection_id', v_template.template_collection_id,
        'current', v_current.template_key,
        'warnings', iu_core.fn_iu_piece_list_warnings(v_digests), 'lease_ids', v_leases);
END
$$;
