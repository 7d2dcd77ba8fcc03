-- grant: owner only
-- Makes an operation without its items, running, and held by no runner; answers NULL, or what
-- fn_iu_operation_known answers when somebody has made it meanwhile: the primary key decides.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_open(
    p_command text, p_kind text, p_operation_id uuid, p_idempotency_key text,
    p_request_digest text, p_total integer, p_parameters jsonb, p_reason text,
    p_allowed_actors text, p_actor text, p_principal text, p_request_id uuid, p_now timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO iu_core.iu_operation
           (operation_id, kind, created_at, updated_at, request_id, total, not_attempted, principal,
            actor, allowed_actors, idempotency_key, request_digest, reason, parameters)
    VALUES (p_operation_id, p_kind, p_now, p_now, p_request_id, p_total, p_total, p_principal,
            p_actor, p_allowed_actors, p_idempotency_key, p_request_digest, coalesce(p_reason, ''),
            p_parameters)
        ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN iu_core.fn_iu_operation_known(
        p_command, p_operation_id, p_idempotency_key, p_request_digest, p_actor, p_principal,
        p_request_id);
END
$$;
