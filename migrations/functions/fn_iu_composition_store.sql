-- grant: owner only
-- Stores an immutable composition with the roll-up of its units' axes, once, and answers its
-- digest. Two arrays of one length, in order. Whoever stores the same one at the same time waits
-- for the other's transaction, and then finds it whole. The caller holds the units' row locks
-- (fn_iu_piece_list_admit): else axes that change meanwhile would be missing in the roll-up.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_composition_store(
    p_roles text[], p_unit_ids uuid[], p_now timestamptz)
RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_digests text[];
    v_digest  text;
BEGIN
    SELECT array_agg(u.content_digest ORDER BY i.place) INTO v_digests
      FROM unnest(p_unit_ids) WITH ORDINALITY AS i(unit_id, place)
      JOIN iu_core.information_unit AS u ON u.unit_id = i.unit_id;
    IF cardinality(v_digests) IS DISTINCT FROM cardinality(p_roles) THEN
        RAISE EXCEPTION 'a composition needs a unit that exists for each of its % roles',
            cardinality(p_roles);
    END IF;
    v_digest := iu_core.fn_iu_composition_digest(p_roles, v_digests);

    INSERT INTO iu_core.iu_composition (composition_digest, piece_count, created_at)
    VALUES (v_digest, cardinality(p_roles), p_now)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN v_digest;
    END IF;

    INSERT INTO iu_core.iu_composition_piece (composition_digest, position, role, unit_id)
    SELECT v_digest, i.place, i.role, i.unit_id
      FROM unnest(p_roles, p_unit_ids) WITH ORDINALITY AS i(role, unit_id, place);

    PERFORM iu_core.fn_iu_envelope_refresh(ARRAY[v_digest]);
    RETURN v_digest;
END
$$;
