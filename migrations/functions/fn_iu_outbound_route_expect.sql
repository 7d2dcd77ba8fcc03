-- grant: owner only
-- Locks the row of an outbound route that is to be changed, and refuses where there is none
-- (outbound_route_not_found), or where it is at a revision that its author has not seen
-- (precondition_failed). NULL when it may be changed, and for no route.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_outbound_route_expect(
    p_command text, p_route_id uuid, p_expected_revisions bigint[],
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_revision bigint;
BEGIN
    IF p_route_id IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT r.revision INTO v_revision
      FROM iu_core.iu_outbound_route AS r
     WHERE r.route_id = p_route_id AND r.removed_at IS NULL
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'outbound_route_not_found',
            jsonb_build_object('route', p_route_id), p_actor, p_principal, p_request_id);
    ELSIF v_revision <> ALL (p_expected_revisions) THEN
        RETURN iu_core.fn_iu_refuse(p_command, 'precondition_failed',
            jsonb_build_object('etag', format('"%s"', v_revision)),
            p_actor, p_principal, p_request_id);
    END IF;
    RETURN NULL;
END
$$;
