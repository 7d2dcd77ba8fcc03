-- grant: iu_app
-- What template references mean now: a collection's UUID, a pinned key (tpl:wf:onboarding/v2, or
-- @v2 where a slash can't stand), or a family (its current version). One row per distinct
-- reference; malformed ones, and ids of nothing, have every column NULL but possibly family_key.
--   reference_id   what was asked for: the template's collection, or the family. Half of an
--                  instance's identity, so it must not depend on which version is current
--   family_key     names the family lock, also for a template without a version
--   family_exists  whether there is such a family, or a template that bears its name
-- Read it again under the family's lock: without, a version may be superseded meanwhile.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_resolve(p_refs text[])
RETURNS TABLE (
    ref text, reference_id uuid, template_collection_id uuid, template_key text, family_key text,
    version_status text, composition_digest text, piece_count integer, is_marked boolean,
    collection_exists boolean, family_exists boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_uuid     constant text := '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
    v_unmarked uuid[];
    v_existing uuid[];
BEGIN
    IF p_refs IS NULL THEN
        RETURN;
    END IF;

    -- Which bare ids are collections that nobody marked: asked for only when there are any.
    IF array_to_string(p_refs, ' ') ~* '(^| )[0-9a-f]{8}-' THEN
        SELECT array_agg(r.ref::uuid) INTO v_unmarked
          FROM unnest(p_refs) AS r(ref)
         WHERE r.ref ~* v_uuid
           AND NOT EXISTS (SELECT FROM iu_core.iu_collection_template_registry AS m
                            WHERE m.template_collection_id = r.ref::uuid);
        SELECT array_agg(c.collection_id) INTO v_existing
          FROM iu_core.iu_piece_collection AS c
         WHERE c.collection_id = ANY (v_unmarked);
    END IF;

    RETURN QUERY
    WITH named AS MATERIALIZED (
        SELECT r.ref,
               CASE WHEN r.ref ~* v_uuid THEN r.ref::uuid END AS by_id,
               CASE WHEN r.ref ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+[/@]v[1-9][0-9]{0,8}$'
                    THEN translate(r.ref, '@', '/') END AS by_key,
               CASE WHEN r.ref ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+$' THEN r.ref END AS by_family
          FROM (SELECT DISTINCT u.ref FROM unnest(p_refs) AS u(ref)) AS r
    )
    SELECT n.ref, coalesce(CASE WHEN n.by_family IS NOT NULL THEN f.family_id END,
                           m.template_collection_id, x.collection_id),
           coalesce(m.template_collection_id, x.collection_id), m.template_key,
           coalesce(n.by_family, split_part(coalesce(m.template_key, n.by_key), '/', 1)),
           v.status, m.composition_digest, m.piece_count, m.template_collection_id IS NOT NULL,
           coalesce(m.template_collection_id, x.collection_id) IS NOT NULL,
           coalesce(m.template_collection_id, f.family_id) IS NOT NULL
      FROM named AS n
      LEFT JOIN iu_core.iu_collection_template_family AS f
             ON f.family_key = coalesce(n.by_family, split_part(n.by_key, '/', 1))
      LEFT JOIN iu_core.iu_collection_template_version AS c
             ON c.family_id = f.family_id AND c.status = 'current' AND n.by_family IS NOT NULL
      LEFT JOIN iu_core.iu_collection_template_registry AS k ON k.template_key = n.by_key
      LEFT JOIN iu_core.iu_collection_template_registry AS m
             ON m.template_collection_id
              = coalesce(n.by_id, k.template_collection_id, c.template_collection_id)
      LEFT JOIN iu_core.iu_collection_template_version AS v
             ON v.template_collection_id = m.template_collection_id
      LEFT JOIN unnest(v_existing) AS x(collection_id) ON x.collection_id = n.by_id;
END
$$;
