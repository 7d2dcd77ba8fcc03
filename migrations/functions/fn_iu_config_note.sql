-- grant: owner only
-- Adds to the history of a gate or a setting. Every change of one is followed by this, in the same
-- transaction.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_config_note(
    p_config_key text, p_action text, p_details jsonb, p_at timestamptz,
    p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    INSERT INTO iu_core.iu_core_config_history
           (config_key, action, actor, principal, reason, request_id, occurred_at, details)
    VALUES (p_config_key, p_action, p_actor, p_principal, p_reason, p_request_id, p_at, p_details)
$$;
