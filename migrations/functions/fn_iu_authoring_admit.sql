-- grant: owner only
-- Takes the locks of the gates that guard the authoring of templates, shared. Pieces (p_specs, NULL
-- for none) whose content is not known yet need the gate of pieces too.
-- Answers the leases that admit the actor; raises the refusal of the first gate that does not.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_authoring_admit(p_specs jsonb, p_actor text)
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_gates  text[] := ARRAY['iu_core.template_authoring_enabled'];
    v_closed text;
    v_leases uuid[];
BEGIN
    IF EXISTS (SELECT FROM iu_core.fn_iu_piece_specs_read(p_specs) AS s WHERE s.unit_id IS NULL) THEN
        v_gates := array_append(v_gates, 'iu_core.piece_write_enabled');
    END IF;
    SELECT a.closed, a.lease_ids INTO v_closed, v_leases
      FROM iu_core.fn_iu_gate_admit(v_gates, p_actor) AS a;
    IF v_closed IS NOT NULL THEN
        PERFORM iu_core.fn_iu_raise_refusal(
            iu_core.fn_iu_gate_code(v_closed), jsonb_build_object('gate', v_closed));
    END IF;
    RETURN v_leases;
END
$$;
