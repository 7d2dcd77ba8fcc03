-- grant: owner only
-- Locks the row of a route that messages are to be sent along again, so that it stays as it is, and
-- refuses where there is none (outbound_route_not_found), or where it is disabled
-- (outbound_route_disabled): nothing is given to it then. NULL where nothing is wrong.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_route_errors(
    p_command text, p_route_id uuid, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_refused jsonb := iu_core.fn_iu_outbound_route_expect(
        p_command, p_route_id, NULL, p_actor, p_principal, p_request_id);
BEGIN
    IF v_refused IS NULL AND NOT EXISTS (
           SELECT FROM iu_core.iu_outbound_route AS r WHERE r.route_id = p_route_id AND r.enabled)
    THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'outbound_route_disabled',
            jsonb_build_object('route', p_route_id), p_actor, p_principal, p_request_id);
    END IF;
    RETURN v_refused;
END
$$;
