-- grant: owner only
-- Rolls up the axes of compositions' units. It locks the compositions' rows, sorted, until the
-- transaction ends, and reads the axes later: of two units of one composition that change at the
-- same time, the second is rolled up with what the first left. Composing waits for none of it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_envelope_refresh(p_composition_digests text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM FROM iu_core.iu_composition AS c
      WHERE c.composition_digest = ANY (p_composition_digests)
      ORDER BY c.composition_digest FOR NO KEY UPDATE;
    DELETE FROM iu_core.iu_composition_axis AS a
     WHERE a.composition_digest = ANY (p_composition_digests);
    INSERT INTO iu_core.iu_composition_axis (composition_digest, axis, unit_count, axis_values)
    SELECT p.composition_digest, a.axis, count(DISTINCT p.unit_id),
           array_agg(DISTINCT a.value COLLATE "C" ORDER BY a.value COLLATE "C")
      FROM iu_core.iu_composition_piece AS p
      JOIN iu_core.iu_unit_axis AS a ON a.unit_id = p.unit_id
     WHERE p.composition_digest = ANY (p_composition_digests)
     GROUP BY p.composition_digest, a.axis;
END
$$;
