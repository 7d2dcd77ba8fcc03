-- grant: owner only
-- What is wrong with pieces: digests are computed from the stored content, not compared as copies.
-- p_composition_digest narrows it to one composition's pieces; NULL looks at all.
--   piece_digest_mismatch   the content is not what its digest was computed from
--   vector_sync_mismatch    the vector index was given another content
--   lifecycle_mismatch      the life is not the one that the last step in the log led to
CREATE OR REPLACE FUNCTION iu_core.fn_iu_finding_pieces(p_composition_digest text)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT f.kind, 'unit ' || u.unit_id, f.expected, f.actual
      FROM iu_core.information_unit AS u
      LEFT JOIN iu_core.iu_vector_sync_point AS s ON s.unit_id = u.unit_id
      LEFT JOIN (SELECT DISTINCT ON (h.unit_id) h.unit_id, h.to_life
                   FROM iu_core.iu_lifecycle_log AS h
                  ORDER BY h.unit_id, h.lifecycle_id DESC) AS h ON h.unit_id = u.unit_id
     CROSS JOIN LATERAL (VALUES
               ('piece_digest_mismatch', u.content_digest,
                iu_core.fn_iu_content_digest(u.media_type, u.title, u.body)),
               ('vector_sync_mismatch', u.content_digest, coalesce(s.content_digest, u.content_digest)),
               ('lifecycle_mismatch', coalesce(h.to_life, u.life), u.life)
           ) AS f(kind, expected, actual)
     WHERE f.expected <> f.actual
       AND (p_composition_digest IS NULL
            OR u.unit_id IN (SELECT p.unit_id FROM iu_core.iu_composition_piece AS p
                              WHERE p.composition_digest = p_composition_digest))
$$;
