-- grant: owner only
-- The content digests of a composition's pieces, in order.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_composition_digests(p_composition_digest text)
RETURNS text[]
LANGUAGE sql STABLE
AS $$
    SELECT pg_catalog.array_agg(u.content_digest ORDER BY p.position)
      FROM iu_core.iu_composition_piece AS p
      JOIN iu_core.information_unit AS u ON u.unit_id = p.unit_id
     WHERE p.composition_digest = p_composition_digest
$$;
