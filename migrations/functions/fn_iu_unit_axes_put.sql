-- grant: iu_app
-- Gives a unit other axes, all of them at once, and rolls up every composition that it stands in, in
-- the same transaction: {"status": "ok", "unit_id", "changed", "compositions"}. The same axes change
-- nothing. Locks the unit's row, for which a template that takes the unit in waits, and the other way
-- round; then the compositions', sorted.
--   p_axes   an object of texts
-- Refusals: invalid_input, piece_write_gate_closed, envelope_refresh_gate_closed, unit_not_found.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_unit_axes_put(
    p_unit_id uuid, p_axes jsonb, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command      constant text := 'put_piece_axes';
    v_errors       jsonb := iu_core.fn_iu_axes_errors('/axes', coalesce(p_axes, '[]'));
    v_closed       text;
    v_leases       uuid[];
    v_before       jsonb;
    v_compositions text[] := '{}';
BEGIN
    IF v_errors <> '[]'::jsonb THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'invalid_input',
            jsonb_build_object('errors', v_errors), p_actor, p_principal, p_request_id);
    END IF;
    SELECT a.closed, a.lease_ids INTO v_closed, v_leases
      FROM iu_core.fn_iu_gate_admit(
               ARRAY['iu_core.piece_write_enabled', 'iu_core.envelope_refresh_enabled'], p_actor) AS a;
    IF v_closed IS NOT NULL THEN
        RETURN iu_core.fn_iu_refuse(v_command, iu_core.fn_iu_gate_code(v_closed),
            jsonb_build_object('gate', v_closed), p_actor, p_principal, p_request_id);
    END IF;

    PERFORM FROM iu_core.information_unit AS u WHERE u.unit_id = p_unit_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'unit_not_found',
            jsonb_build_object('units', jsonb_build_array(p_unit_id)),
            p_actor, p_principal, p_request_id);
    END IF;
    v_before := iu_core.fn_iu_unit_axes(p_unit_id);  -- read under the row lock
    IF v_before <> p_axes THEN
        DELETE FROM iu_core.iu_unit_axis AS a WHERE a.unit_id = p_unit_id;
        INSERT INTO iu_core.iu_unit_axis (unit_id, axis, value)
        SELECT p_unit_id, a.axis, a.value FROM jsonb_each_text(p_axes) AS a(axis, value);
        v_compositions := ARRAY(SELECT DISTINCT p.composition_digest
                                  FROM iu_core.iu_composition_piece AS p
                                 WHERE p.unit_id = p_unit_id);
        PERFORM iu_core.fn_iu_envelope_refresh(v_compositions);
        INSERT INTO iu_core.iu_unit_axis_log
               (unit_id, request_id, occurred_at, compositions, actor, principal, reason,
                axes_before, axes_after)
        VALUES (p_unit_id, p_request_id, iu_core.fn_iu_now(), cardinality(v_compositions),
                p_actor, p_principal, coalesce(p_reason, ''), v_before, p_axes);
    END IF;
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object(
            'status', 'ok', 'unit_id', p_unit_id, 'changed', v_before <> p_axes,
            'compositions', cardinality(v_compositions), 'lease_ids', v_leases),
        p_actor, p_principal, p_request_id, p_unit_id,
        p_about => jsonb_build_object('before', v_before, 'axes', p_axes, 'reason', p_reason));
END
$$;
