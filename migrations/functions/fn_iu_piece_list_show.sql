-- grant: owner only
-- A list of pieces, given as two arrays, as JSON to be looked at before it is stored. What is to be
-- made has no unit_id; its media type and title are those of p_specs.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_list_show(p_roles text[], p_digests text[], p_specs jsonb)
RETURNS jsonb
LANGUAGE sql VOLATILE
AS $$
    WITH known AS MATERIALIZED (
        SELECT u.content_digest, u.unit_id, u.media_type, u.title, u.life
          FROM iu_core.information_unit AS u WHERE u.content_digest = ANY (p_digests)
         UNION ALL
        SELECT DISTINCT ON (s.content_digest) s.content_digest, NULL, s.media_type, s.title, 'active'
          FROM iu_core.fn_iu_piece_specs_read(p_specs) AS s WHERE s.unit_id IS NULL
    )
    SELECT jsonb_agg(jsonb_build_object(
               'position', i.place, 'role', i.role, 'unit_id', k.unit_id, 'life', k.life,
               'content_digest', i.content_digest, 'media_type', k.media_type, 'title', k.title)
               ORDER BY i.place)
      FROM ROWS FROM (unnest(p_roles), unnest(p_digests)) WITH ORDINALITY
           AS i(role, content_digest, place)
      JOIN known AS k ON k.content_digest = i.content_digest
$$;
