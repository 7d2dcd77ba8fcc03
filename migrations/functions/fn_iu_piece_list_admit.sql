-- grant: owner only
-- Decides whether units may stand in a template, under their row locks: one that is being retired
-- or revised is waited for, and one that was admitted can't be retired before the template is there
-- to be seen. Newly entering units must be active. Those of p_carried, which the template's
-- predecessor or the collection itself uses already, may have been superseded since.
-- Raises unit_not_active with the units that may not enter. Digests that no unit has are passed over.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_list_admit(p_digests text[], p_carried text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_refused jsonb;
BEGIN
    PERFORM iu_core.fn_iu_units_share(p_digests);
    SELECT jsonb_agg(u.unit_id ORDER BY u.unit_id) INTO v_refused
      FROM iu_core.information_unit AS u
     WHERE u.content_digest = ANY (p_digests)
       AND (u.life NOT IN ('active', 'superseded')
            OR (u.life = 'superseded' AND u.content_digest <> ALL (p_carried)));
    IF v_refused IS NOT NULL THEN
        PERFORM iu_core.fn_iu_raise_refusal('unit_not_active', jsonb_build_object('units', v_refused));
    END IF;
END
$$;
