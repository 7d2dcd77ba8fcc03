-- grant: owner only
-- Raises unit_not_found with the units that a list of pieces names and that do not exist.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_require_units(p_specs jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_missing jsonb;
BEGIN
    SELECT jsonb_agg(DISTINCT s.unit_id) INTO v_missing
      FROM iu_core.fn_iu_piece_specs_read(p_specs) AS s WHERE s.content_digest IS NULL;
    IF v_missing IS NOT NULL THEN
        PERFORM iu_core.fn_iu_raise_refusal('unit_not_found', jsonb_build_object('units', v_missing));
    END IF;
END
$$;
