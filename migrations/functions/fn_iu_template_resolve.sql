-- grant: iu_app
-- What template references mean now: a collection's UUID, a pinned key (tpl:wf:onboarding/v2, or
-- @v2 where a slash can't stand), or a family (its current version). One row per distinct
-- reference; malformed ones, and ids of nothing, have every column NULL or false but possibly
-- those of the family.
--   reference_id   what was asked for: the template's collection, or the family. Half of an
--                  instance's identity, so it must not depend on which version is current
--   family_key     names the family lock, also for a template without a version
--   family_exists  whether there is such a family, or a template that bears its name
--   schema_digest  by which its data is judged; NULL: it takes any
-- Read it again under the family's lock: without, a version may be superseded meanwhile.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_resolve(p_refs text[])
RETURNS TABLE (
    ref text, reference_id uuid, template_collection_id uuid, template_key text, family_key text,
    version_status text, composition_digest text, piece_count integer, is_marked boolean,
    collection_exists boolean, family_exists boolean, schema_digest text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT r.ref, t.*
      FROM (SELECT DISTINCT u.ref FROM unnest(p_refs) AS u(ref)) AS r
     CROSS JOIN LATERAL iu_core.fn_iu_template_find(r.ref) AS t;
END
$$;
