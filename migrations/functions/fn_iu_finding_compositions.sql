-- grant: owner only
-- What is wrong with compositions: the digest is computed again from the list of pieces (from the
-- pieces' digests; that those are right is fn_iu_finding_pieces'). NULL looks at all.
--   composition_digest_mismatch  the list is not what its digest was computed from
--   piece_count_mismatch         the count is not the list's length
--   position_mismatch            the positions are not 1 to n without gaps
--   axis_mismatch                an envelope axis is not the roll-up of the pieces' axes
CREATE OR REPLACE FUNCTION iu_core.fn_iu_finding_compositions(p_composition_digest text)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT f.kind, 'composition ' || c.composition_digest, f.expected, f.actual
      FROM iu_core.iu_composition AS c
      LEFT JOIN (SELECT p.composition_digest,
                        count(*) AS pieces,
                        max(p.position) AS last_position,
                        iu_core.fn_iu_composition_digest(
                            array_agg(p.role ORDER BY p.position),
                            array_agg(u.content_digest ORDER BY p.position)) AS digest
                   FROM iu_core.iu_composition_piece AS p
                   JOIN iu_core.information_unit AS u ON u.unit_id = p.unit_id
                  WHERE p_composition_digest IS NULL OR p.composition_digest = p_composition_digest
                  GROUP BY p.composition_digest) AS l ON l.composition_digest = c.composition_digest
     CROSS JOIN LATERAL (VALUES
               ('composition_digest_mismatch', c.composition_digest, coalesce(l.digest, 'no pieces')),
               ('piece_count_mismatch', c.piece_count::text, coalesce(l.pieces, 0)::text),
               ('position_mismatch', coalesce(l.pieces, 0)::text, coalesce(l.last_position, 0)::text)
           ) AS f(kind, expected, actual)
     WHERE f.expected <> f.actual
       AND (p_composition_digest IS NULL OR c.composition_digest = p_composition_digest)
    UNION ALL
    SELECT 'axis_mismatch',
           'composition ' || coalesce(a.composition_digest, r.composition_digest)
               || ' axis ' || coalesce(a.axis, r.axis),
           coalesce(r.unit_count || ' ' || r.axis_values::text, 'none'),
           coalesce(a.unit_count || ' ' || a.axis_values::text, 'none')
      FROM (SELECT x.composition_digest, x.axis, x.unit_count,
                   ARRAY(SELECT DISTINCT y.v COLLATE "C" FROM unnest(x.axis_values) AS y(v)
                          ORDER BY 1) AS axis_values
              FROM iu_core.iu_composition_axis AS x
             WHERE p_composition_digest IS NULL OR x.composition_digest = p_composition_digest) AS a
      FULL JOIN (SELECT p.composition_digest, x.axis, count(DISTINCT p.unit_id)::integer AS unit_count,
                        array_agg(DISTINCT x.value COLLATE "C" ORDER BY x.value COLLATE "C") AS axis_values
                   FROM iu_core.iu_composition_piece AS p
                   JOIN iu_core.iu_unit_axis AS x ON x.unit_id = p.unit_id
                  WHERE p_composition_digest IS NULL OR p.composition_digest = p_composition_digest
                  GROUP BY p.composition_digest, x.axis) AS r
        ON r.composition_digest = a.composition_digest AND r.axis = a.axis
     WHERE (a.unit_count, a.axis_values) IS DISTINCT FROM (r.unit_count, r.axis_values)
$$;
