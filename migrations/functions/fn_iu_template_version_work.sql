-- grant: owner only
-- fn_iu_template_version_create without its last resort and its record: raises its refusals.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_version_work(
    p_family_key text, p_pieces jsonb, p_edits jsonb, p_expected_revisions bigint[],
    p_dry_run boolean, p_reason text, p_actor text, p_keeps_schema boolean, p_schema text,
    p_empty_data_errors json)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now        timestamptz;
    v_specs      jsonb := p_pieces;
    v_family_id  uuid;
    v_revision   bigint;
    v_draft      record;
    v_number     integer;
    v_warnings   text[];
    v_collection uuid;
    v_leases     uuid[];
BEGIN
    PERFORM iu_core.fn_iu_require_valid(
        iu_core.fn_iu_template_version_errors(
            p_family_key, p_pieces, p_edits, p_keeps_schema));
    IF p_edits IS NOT NULL THEN
        SELECT jsonb_agg(e.edit -> 'piece' ORDER BY e.place) INTO v_specs
          FROM jsonb_array_elements(p_edits) WITH ORDINALITY AS e(edit, place)
         WHERE e.edit ->> 'op' IN ('insert', 'replace');
    END IF;
    v_leases := iu_core.fn_iu_authoring_admit(v_specs, p_actor);
    PERFORM iu_core.fn_iu_lock('family', ARRAY[p_family_key], false);

    SELECT f.family_id, f.chain_revision INTO v_family_id, v_revision
      FROM iu_core.iu_collection_template_family AS f WHERE f.family_key = p_family_key;
    IF NOT FOUND THEN
        PERFORM iu_core.fn_iu_raise_refusal(
            'template_family_not_found', jsonb_build_object('family', p_family_key));
    END IF;
    PERFORM iu_core.fn_iu_require_revision(p_family_key, p_expected_revisions);
    v_number := iu_core.fn_iu_template_highest_number(p_family_key) + 1;
    IF v_number > 999999999 THEN
        PERFORM iu_core.fn_iu_raise_refusal('operation_state', jsonb_build_object(
            'detail', 'The family has no version number left.'));
    END IF;

    SELECT d.* INTO v_draft
      FROM iu_core.fn_iu_template_version_draft(
               v_family_id, p_pieces, p_edits, v_specs, p_keeps_schema, p_schema,
               p_empty_data_errors) AS d;
    PERFORM iu_core.fn_iu_piece_list_admit(v_draft.digests, v_draft.carried);
    v_warnings := iu_core.fn_iu_piece_list_warnings(v_draft.digests);

    IF p_dry_run IS NOT FALSE THEN
        RETURN jsonb_build_object(
            'status', 'ok', 'warnings', v_warnings, 'supersedes', v_draft.current_key,
            'chain_revision', v_revision, 'parameters_changed', v_draft.parameters_changed,
            'would_be', jsonb_build_object(
                'template_key', format('%s/v%s', p_family_key, v_number),
                'version', format('v%s', v_number),
                'composition_digest', iu_core.fn_iu_composition_digest(v_draft.roles, v_draft.digests),
                'piece_count', cardinality(v_draft.roles),
                'schema_digest', v_draft.schema_digest,
                'supersedes', v_draft.current_key),
            'pieces', iu_core.fn_iu_piece_list_show(v_draft.roles, v_draft.digests, v_specs));
    END IF;
    v_now := iu_core.fn_iu_now();
    PERFORM iu_core.fn_iu_template_schema_store(CASE WHEN NOT p_keeps_schema THEN p_schema END);
    v_collection := iu_core.fn_iu_template_publish(
        iu_core.fn_iu_template_family_touch(p_family_key, NULL, NULL, p_actor, v_now),
        format('%s/v%s', p_family_key, v_number), v_draft.roles, v_draft.digests, v_specs,
        v_draft.schema_digest, v_draft.empty_data_errors, p_actor, p_reason, v_now);
    RETURN jsonb_build_object('status', 'ok', 'warnings', v_warnings,
                              'supersedes', v_draft.current_key,
                              'parameters_changed', v_draft.parameters_changed,
                              'template_collection_id', v_collection, 'lease_ids', v_leases);
END
$$;
