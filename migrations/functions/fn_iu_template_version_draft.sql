-- grant: owner only
-- What a family's next version would be. Its list of pieces: p_pieces as it stands, or the current
-- version's list after p_edits (the empty list, where the family has no current version). Its schema:
-- p_schema, or with p_keeps_schema the current version's.
-- Raises unit_not_found, invalid_input (an edit's position), and no_change when list and schema are the
-- current one's. The caller holds the family's lock.
--   carried             the digests that the current version uses
--   parameters_changed  whether the schema is not the current version's
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_version_draft(
    p_family_id uuid, p_pieces jsonb, p_edits jsonb, p_specs jsonb, p_keeps_schema boolean,
    p_schema text, p_empty_data_errors json,
    OUT roles text[], OUT digests text[], OUT carried text[], OUT current_key text,
    OUT schema_digest text, OUT empty_data_errors json, OUT parameters_changed boolean)
RETURNS record
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_current_digest text;
    v_current_schema text;
    v_old_roles      text[];
    v_new_roles      text[];
    v_new_digests    text[];
BEGIN
    PERFORM iu_core.fn_iu_require_units(p_specs);
    SELECT array_agg(s.role ORDER BY s.place), array_agg(s.content_digest ORDER BY s.place)
      INTO v_new_roles, v_new_digests
      FROM iu_core.fn_iu_piece_specs_read(p_specs) AS s;

    SELECT r.template_key, r.composition_digest, r.schema_digest, r.empty_data_errors
      INTO current_key, v_current_digest, v_current_schema, empty_data_errors
      FROM iu_core.iu_collection_template_version AS v
      JOIN iu_core.iu_collection_template_registry AS r
        ON r.template_collection_id = v.template_collection_id
     WHERE v.family_id = p_family_id AND v.status = 'current';
    SELECT coalesce(array_agg(p.role ORDER BY p.position), '{}'),
           coalesce(array_agg(u.content_digest ORDER BY p.position), '{}')
      INTO v_old_roles, carried
      FROM iu_core.iu_composition_piece AS p
      JOIN iu_core.information_unit AS u ON u.unit_id = p.unit_id
     WHERE p.composition_digest = v_current_digest;

    IF p_pieces IS NOT NULL THEN
        roles := v_new_roles;
        digests := v_new_digests;
    ELSE
        SELECT e.roles, e.digests INTO roles, digests
          FROM iu_core.fn_iu_piece_list_edit(
                   v_old_roles, carried, p_edits, v_new_roles, v_new_digests) AS e;
    END IF;
    schema_digest := v_current_schema;
    IF NOT p_keeps_schema THEN
        schema_digest := iu_core.fn_iu_template_schema_digest(p_schema);
        empty_data_errors := p_empty_data_errors;
    END IF;
    parameters_changed := schema_digest IS DISTINCT FROM v_current_schema;
    IF iu_core.fn_iu_composition_digest(roles, digests) = v_current_digest
       AND NOT parameters_changed THEN
        PERFORM iu_core.fn_iu_raise_refusal(
            'no_change', jsonb_build_object('template_key', current_key));
    END IF;
END
$$;
