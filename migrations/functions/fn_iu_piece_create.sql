-- grant: iu_app
-- Makes a unit of content. Content that is known is answered with the unit that is there, before
-- any gate is looked at: {"status": "ok", "unit_id", "known", "warnings"}.
--   p_life   draft or active
--   p_axes   an object of texts; NULL is none
--   warnings of a known unit: life_differs, axes_differ (it keeps its own)
-- Refusals: invalid_input, piece_write_gate_closed.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_create(
    p_media_type text, p_title text, p_body text, p_life text, p_axes jsonb,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command    constant text := 'create_piece';
    v_gate       constant text := 'iu_core.piece_write_enabled';
    v_media_type text := iu_core.fn_iu_media_type(p_media_type);
    v_axes       jsonb := coalesce(p_axes, '{}');
    v_errors     jsonb := iu_core.fn_iu_content_errors('', p_media_type, p_title, p_body, p_axes);
    v_unit_id    uuid;
    v_is_new     boolean := false;
    v_closed     text;
    v_leases     uuid[];
    v_warnings   text[];
BEGIN
    IF p_life IS NULL OR p_life NOT IN ('draft', 'active') THEN
        v_errors := v_errors || iu_core.fn_iu_field_error('/life', 'life', 'must be draft or active');
    END IF;
    IF v_errors <> '[]'::jsonb THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'invalid_input',
            jsonb_build_object('errors', v_errors), p_actor, p_principal, p_request_id);
    END IF;

    SELECT u.unit_id INTO v_unit_id FROM iu_core.information_unit AS u
     WHERE u.content_digest = iu_core.fn_iu_content_digest(v_media_type, p_title, p_body);
    IF NOT FOUND THEN
        SELECT a.closed, a.lease_ids INTO v_closed, v_leases
          FROM iu_core.fn_iu_gate_admit(ARRAY[v_gate], p_actor) AS a;
        IF v_closed IS NOT NULL THEN
            RETURN iu_core.fn_iu_refuse(v_command, iu_core.fn_iu_gate_code(v_gate),
                jsonb_build_object('gate', v_gate), p_actor, p_principal, p_request_id);
        END IF;
        SELECT c.claimed_id, c.is_new INTO v_unit_id, v_is_new
          FROM iu_core.fn_iu_unit_claim(v_media_type, p_title, p_body, p_life, v_axes, NULL,
                                        p_actor, iu_core.fn_iu_now()) AS c;
    END IF;

    SELECT array_remove(ARRAY[
               CASE WHEN u.life <> p_life THEN 'life_differs' END,
               CASE WHEN iu_core.fn_iu_unit_axes(u.unit_id) <> v_axes THEN 'axes_differ' END], NULL)
      INTO v_warnings
      FROM iu_core.information_unit AS u WHERE u.unit_id = v_unit_id;
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object(
            'status', 'ok', 'unit_id', v_unit_id, 'known', NOT v_is_new, 'warnings', v_warnings,
            'lease_ids', v_leases),
        p_actor, p_principal, p_request_id, v_unit_id,
        p_about => jsonb_build_object('life', p_life));
END
$$;
