-- grant: owner only
-- What one template reference means now; see fn_iu_template_resolve, which asks for many. One row
-- always. A look at what this kind of reference names costs a fifth of one join over all kinds,
-- which took most of its time before it had read a row.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_find(
    p_ref text,
    OUT reference_id uuid, OUT template_collection_id uuid, OUT template_key text,
    OUT family_key text, OUT version_status text, OUT composition_digest text,
    OUT piece_count integer, OUT is_marked boolean, OUT collection_exists boolean,
    OUT family_exists boolean, OUT schema_digest text)
RETURNS record
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_key text;
BEGIN
    family_exists := false;
    IF p_ref ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+$' THEN
        family_key := p_ref;
        SELECT f.family_id, m.template_collection_id, m.template_key, v.status,
               m.composition_digest, m.piece_count, m.schema_digest
          INTO reference_id, template_collection_id, template_key, version_status,
               composition_digest, piece_count, schema_digest
          FROM iu_core.iu_collection_template_family AS f
          LEFT JOIN iu_core.iu_collection_template_version AS v
                 ON v.family_id = f.family_id AND v.status = 'current'
          LEFT JOIN iu_core.iu_collection_template_registry AS m
                 ON m.template_collection_id = v.template_collection_id
         WHERE f.family_key = p_ref;
        family_exists := FOUND;

    ELSIF p_ref ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+[/@]v[1-9][0-9]{0,8}$' THEN
        v_key := translate(p_ref, '@', '/');
        family_key := split_part(v_key, '/', 1);
        SELECT m.template_collection_id, m.template_collection_id, m.template_key, v.status,
               m.composition_digest, m.piece_count, m.schema_digest
          INTO reference_id, template_collection_id, template_key, version_status,
               composition_digest, piece_count, schema_digest
          FROM iu_core.iu_collection_template_registry AS m
          LEFT JOIN iu_core.iu_collection_template_version AS v
                 ON v.template_collection_id = m.template_collection_id
         WHERE m.template_key = v_key;
        family_exists := FOUND;
        IF NOT FOUND THEN
            PERFORM FROM iu_core.iu_collection_template_family AS f
              WHERE f.family_key = fn_iu_template_find.family_key;
            family_exists := FOUND;
        END IF;

    ELSIF p_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        SELECT m.template_collection_id, m.template_collection_id, m.template_key, v.status,
               m.composition_digest, m.piece_count, m.schema_digest,
               split_part(m.template_key, '/', 1)
          INTO reference_id, template_collection_id, template_key, version_status,
               composition_digest, piece_count, schema_digest, family_key
          FROM iu_core.iu_collection_template_registry AS m
          LEFT JOIN iu_core.iu_collection_template_version AS v
                 ON v.template_collection_id = m.template_collection_id
         WHERE m.template_collection_id = p_ref::uuid;
        family_exists := FOUND;
        -- Not joined: this table is distributed, those are everywhere.
        IF NOT FOUND THEN
            SELECT c.collection_id, c.collection_id INTO reference_id, template_collection_id
              FROM iu_core.iu_piece_collection AS c
             WHERE c.collection_id = p_ref::uuid;
        END IF;
    END IF;
    is_marked := template_key IS NOT NULL;
    collection_exists := template_collection_id IS NOT NULL;
END
$$;
