-- grant: iu_app
-- What template references mean now: a collection's UUID, a pinned key (tpl:wf:onboarding/v2, or
-- @v2 where a slash can't stand), or a family (its current version). One row per distinct
-- reference; malformed ones, and ids of nothing, have every column NULL or false but possibly
-- those of the family.
--   reference_id   what was asked for: the template's collection, or the family. Half of an
--                  instance's identity, so it must not depend on which version is current
--   family_key     names the family lock, also for a template without a version
--   family_exists  whether there is such a family, or a template that bears its name
-- Read it again under the family's lock: without, a version may be superseded meanwhile.
-- A call names few references, mostly one: a look at each costs a third of what one join over all
-- kinds took before it had read a row.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_resolve(p_refs text[])
RETURNS TABLE (
    ref text, reference_id uuid, template_collection_id uuid, template_key text, family_key text,
    version_status text, composition_digest text, piece_count integer, is_marked boolean,
    collection_exists boolean, family_exists boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_ref    text;
    v_key    text;
    v_family text;
BEGIN
    FOR v_ref IN SELECT DISTINCT r.ref FROM unnest(p_refs) AS r(ref) LOOP
        IF v_ref ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+$' THEN
            RETURN QUERY
            SELECT v_ref, f.family_id, m.template_collection_id, m.template_key, v_ref, v.status,
                   m.composition_digest, m.piece_count, m.template_collection_id IS NOT NULL,
                   m.template_collection_id IS NOT NULL, f.family_id IS NOT NULL
              FROM (SELECT) AS always
              LEFT JOIN iu_core.iu_collection_template_family AS f ON f.family_key = v_ref
              LEFT JOIN iu_core.iu_collection_template_version AS v
                     ON v.family_id = f.family_id AND v.status = 'current'
              LEFT JOIN iu_core.iu_collection_template_registry AS m
                     ON m.template_collection_id = v.template_collection_id;

        ELSIF v_ref ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+[/@]v[1-9][0-9]{0,8}$' THEN
            v_key := translate(v_ref, '@', '/');
            v_family := split_part(v_key, '/', 1);
            RETURN QUERY
            SELECT v_ref, m.template_collection_id, m.template_collection_id, m.template_key,
                   v_family, v.status, m.composition_digest, m.piece_count,
                   m.template_collection_id IS NOT NULL, m.template_collection_id IS NOT NULL,
                   coalesce(m.template_collection_id, f.family_id) IS NOT NULL
              FROM (SELECT) AS always
              LEFT JOIN iu_core.iu_collection_template_registry AS m ON m.template_key = v_key
              LEFT JOIN iu_core.iu_collection_template_version AS v
                     ON v.template_collection_id = m.template_collection_id
              LEFT JOIN iu_core.iu_collection_template_family AS f ON f.family_key = v_family;

        ELSIF v_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
            RETURN QUERY
            SELECT v_ref, m.template_collection_id, m.template_collection_id, m.template_key,
                   split_part(m.template_key, '/', 1), v.status, m.composition_digest,
                   m.piece_count, true, true, true
              FROM iu_core.iu_collection_template_registry AS m
              LEFT JOIN iu_core.iu_collection_template_version AS v
                     ON v.template_collection_id = m.template_collection_id
             WHERE m.template_collection_id = v_ref::uuid;
            -- Not joined: this table is distributed, those are everywhere.
            IF NOT FOUND THEN
                RETURN QUERY
                SELECT v_ref, c.collection_id, c.collection_id, NULL::text, NULL::text, NULL::text,
                       NULL::text, NULL::integer, false, c.collection_id IS NOT NULL, false
                  FROM (SELECT) AS always
                  LEFT JOIN iu_core.iu_piece_collection AS c ON c.collection_id = v_ref::uuid;
            END IF;

        ELSE
            RETURN QUERY
            SELECT v_ref, NULL::uuid, NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::text,
                   NULL::integer, false, false, false;
        END IF;
    END LOOP;
END
$$;
