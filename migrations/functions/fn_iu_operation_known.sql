-- grant: owner only
-- What is answered for an operation id that is known already; NULL when it is not. The id is the
-- md5 of principal and idempotency key, so the same id is the same key: with the same request it is
-- {"status": "idempotent_replay", "operation_id"} - ok for the service's own retry, told by the
-- request id -, with another one idempotency_conflict, recorded.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_known(
    p_command text, p_operation_id uuid, p_idempotency_key text, p_request_digest text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_operation iu_core.iu_operation;
BEGIN
    SELECT * INTO v_operation FROM iu_core.iu_operation AS o WHERE o.operation_id = p_operation_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Principal and key too: a malicious md5 collision is a conflict, not a replay.
    IF (v_operation.principal, v_operation.idempotency_key, v_operation.request_digest)
       IS DISTINCT FROM (p_principal, p_idempotency_key, p_request_digest) THEN
        RETURN iu_core.fn_iu_refuse(
            p_command, 'idempotency_conflict',
            jsonb_build_object('fields', '["body"]'::jsonb, 'operation_id', p_operation_id),
            p_actor, p_principal, p_request_id);
    END IF;
    RETURN iu_core.fn_iu_done(
        p_command, jsonb_build_object(
            'status', CASE WHEN v_operation.request_id = p_request_id THEN 'ok'
                           ELSE 'idempotent_replay' END,
            'operation_id', p_operation_id),
        p_actor, p_principal, p_request_id, p_operation_id);
END
$$;
