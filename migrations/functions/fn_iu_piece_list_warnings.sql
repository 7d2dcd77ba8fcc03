-- grant: owner only
-- What an author should know of the units of a template: unit_superseded, unit_retired.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_list_warnings(p_digests text[])
RETURNS text[]
LANGUAGE sql VOLATILE
AS $$
    SELECT coalesce(pg_catalog.array_agg(DISTINCT 'unit_' || u.life ORDER BY 'unit_' || u.life), '{}')
      FROM iu_core.information_unit AS u
     WHERE u.content_digest = ANY (p_digests) AND u.life IN ('superseded', 'retired')
$$;
