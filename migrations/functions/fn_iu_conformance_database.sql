-- grant: owner only
-- What bootstrap arranges around the schema, by kind and name: what sessions start with.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_database()
RETURNS TABLE (kind text, name text, facets jsonb)
LANGUAGE sql STABLE
AS $$
    SELECT 'config', 'database', coalesce(jsonb_object_agg(f.facet, f.value), '{}')
      FROM iu_core.fn_iu_conformance_settings(0) AS f
$$;
