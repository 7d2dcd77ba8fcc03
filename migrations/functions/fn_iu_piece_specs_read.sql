-- grant: owner only
-- Reads a list of pieces, checked by fn_iu_piece_specs_errors, in its order. NULL has no rows.
--   unit_id         the unit that is named, or that has this content; NULL when it is to be made
--   content_digest  NULL when a named unit does not exist
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_specs_read(p_specs jsonb)
RETURNS TABLE (
    place bigint, role text, unit_id uuid, content_digest text,
    media_type text, title text, body text, axes jsonb)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_ids     uuid[];
    v_digests text[];
BEGIN
    -- Fetched into arrays first: function rows are not joined outwardly to tables.
    SELECT array_agg((s.spec ->> 'unit_id')::uuid ORDER BY s.place),
           array_agg(iu_core.fn_iu_content_digest(
               iu_core.fn_iu_media_type(s.spec ->> 'media_type'),
               s.spec ->> 'title', s.spec ->> 'body') ORDER BY s.place)
      INTO v_ids, v_digests
      FROM jsonb_array_elements(p_specs) WITH ORDINALITY AS s(spec, place);

    RETURN QUERY
    WITH known AS MATERIALIZED (
        SELECT u.unit_id, u.content_digest FROM iu_core.information_unit AS u
         WHERE u.unit_id = ANY (v_ids) OR u.content_digest = ANY (v_digests)
    )
    SELECT s.place, s.spec ->> 'role', coalesce(s.named_id, k.unit_id),
           coalesce(s.digest, n.content_digest),
           iu_core.fn_iu_media_type(s.spec ->> 'media_type'), s.spec ->> 'title', s.spec ->> 'body',
           coalesce(s.spec -> 'axes', '{}')
      FROM ROWS FROM (jsonb_array_elements(p_specs), unnest(v_ids), unnest(v_digests))
           WITH ORDINALITY AS s(spec, named_id, digest, place)
      LEFT JOIN known AS n ON n.unit_id = s.named_id
      LEFT JOIN known AS k ON k.content_digest = s.digest
     ORDER BY s.place;
END
$$;
