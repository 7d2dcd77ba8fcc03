-- grant: owner only
-- Stores a new template and makes it current: the units that are new, the composition, a collection
-- with it, the mark, and the place in the chain. Answers the collection. The caller holds the family's
-- lock, has admitted the units and stored the schema (fn_iu_template_schema_store); p_key's number is
-- above every other of the family. Raises unit_not_active.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_publish(
    p_family_id uuid, p_key text, p_roles text[], p_digests text[], p_specs jsonb,
    p_schema_digest text, p_empty_data_errors json, p_actor text, p_reason text,
    p_now timestamptz)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_units      uuid[];
    v_digest     text;
    v_collection uuid;
BEGIN
    PERFORM iu_core.fn_iu_piece_specs_store(p_specs, p_actor, p_now);
    SELECT array_agg(u.unit_id ORDER BY d.place) INTO v_units
      FROM unnest(p_digests) WITH ORDINALITY AS d(content_digest, place)
      JOIN iu_core.information_unit AS u ON u.content_digest = d.content_digest;
    v_digest := iu_core.fn_iu_composition_store(p_roles, v_units, p_now);

    INSERT INTO iu_core.iu_piece_collection AS c
           (created_at, is_instance, collection_key, composition_digest)
    VALUES (p_now, false, p_key, v_digest)
    RETURNING c.collection_id INTO v_collection;
    INSERT INTO iu_core.iu_collection_template_registry
           (template_collection_id, template_key, composition_digest, piece_count,
            schema_digest, empty_data_errors, marked_by, marked_at, reason)
    VALUES (v_collection, p_key, v_digest, cardinality(p_roles),
            p_schema_digest, p_empty_data_errors, p_actor, p_now, coalesce(p_reason, ''));
    PERFORM iu_core.fn_iu_template_enter_chain(p_family_id, v_collection, p_actor, p_reason, p_now);
    RETURN v_collection;
END
$$;
