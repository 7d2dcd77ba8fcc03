-- grant: owner only
-- The keys of the templates that use a unit now: current versions, and marked templates that have
-- no version yet. Sorted; empty when there are none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_unit_current_templates(p_unit_id uuid)
RETURNS text[]
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(pg_catalog.array_agg(DISTINCT r.template_key ORDER BY r.template_key), '{}')
      FROM iu_core.iu_composition_piece AS p
      JOIN iu_core.iu_collection_template_registry AS r
        ON r.composition_digest = p.composition_digest
      LEFT JOIN iu_core.iu_collection_template_version AS v
        ON v.template_collection_id = r.template_collection_id
     WHERE p.unit_id = p_unit_id
       AND coalesce(v.status, 'current') = 'current'
$$;
