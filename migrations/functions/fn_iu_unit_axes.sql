-- grant: owner only
-- A unit's axes as an object; empty when it has none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_unit_axes(p_unit_id uuid)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(pg_catalog.jsonb_object_agg(a.axis, a.value), '{}'::jsonb)
      FROM iu_core.iu_unit_axis AS a WHERE a.unit_id = p_unit_id
$$;
