-- grant: iu_app
-- Takes a unit one step through its life: {"status": "ok", "unit_id", "from_life", "to_life"}.
-- Holds the unit's row lock, for which a template that takes the unit in waits, and the other way
-- round: of retiring and taking in at the same time only one succeeds.
-- Refusals: invalid_input, lifecycle_gate_closed, unit_not_found, operation_state, unit_in_use.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_unit_lifecycle(
    p_unit_id uuid, p_to_life text, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command   constant text := 'change_piece_life';
    v_gate      constant text := 'iu_core.lifecycle_enabled';
    v_closed    text;
    v_leases    uuid[];
    v_life      text;
    v_templates text[];
    v_code      text;
    v_details   jsonb;
BEGIN
    IF p_to_life IS NULL OR p_to_life NOT IN ('draft', 'active', 'superseded', 'retired') THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'invalid_input', jsonb_build_object('errors',
            jsonb_build_array(iu_core.fn_iu_field_error(
                '/to_life', 'life', 'must be draft, active, superseded or retired'))),
            p_actor, p_principal, p_request_id);
    END IF;
    SELECT a.closed, a.lease_ids INTO v_closed, v_leases
      FROM iu_core.fn_iu_gate_admit(ARRAY[v_gate], p_actor) AS a;
    IF v_closed IS NOT NULL THEN
        RETURN iu_core.fn_iu_refuse(v_command, iu_core.fn_iu_gate_code(v_gate),
            jsonb_build_object('gate', v_gate), p_actor, p_principal, p_request_id);
    END IF;

    SELECT u.life INTO v_life FROM iu_core.information_unit AS u
     WHERE u.unit_id = p_unit_id FOR NO KEY UPDATE;
    v_templates := iu_core.fn_iu_unit_current_templates(p_unit_id);  -- read under the row lock
    CASE
        WHEN v_life IS NULL THEN
            v_code := 'unit_not_found';
            v_details := jsonb_build_object('units', jsonb_build_array(p_unit_id));
        WHEN p_to_life <> ALL (iu_core.fn_iu_unit_lives_after(v_life)) THEN
            v_code := 'operation_state';
            v_details := jsonb_build_object(
                'state', v_life, 'allowed', iu_core.fn_iu_unit_lives_after(v_life));
        WHEN p_to_life = 'retired' AND v_templates <> '{}' THEN
            v_code := 'unit_in_use';
            v_details := jsonb_build_object('templates', v_templates);
        ELSE
            PERFORM iu_core.fn_iu_unit_step(p_unit_id, v_life, p_to_life, p_reason, p_actor,
                                            p_request_id, iu_core.fn_iu_now());
            RETURN iu_core.fn_iu_done(
                v_command, jsonb_build_object(
                    'status', 'ok', 'unit_id', p_unit_id, 'from_life', v_life,
                    'to_life', p_to_life, 'lease_ids', v_leases),
                p_actor, p_principal, p_request_id, p_unit_id,
                p_about => jsonb_build_object('reason', p_reason));
    END CASE;
    RETURN iu_core.fn_iu_refuse(v_command, v_code, v_details, p_actor, p_principal, p_request_id);
END
$$;
