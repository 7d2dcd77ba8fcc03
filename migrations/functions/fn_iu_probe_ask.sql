-- grant: owner only
-- What the contract's orchestrator answers to one probe or, without an emit mode, the contract's
-- rollback by actor as a dry run. An error is an answer too: {"status": "raised", "sqlstate"}, and
-- undone; but for those that come of what others do at the same time, which are raised.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_probe_ask(
    p_event_id uuid, p_template_id uuid, p_actor text, p_emit_mode text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF p_emit_mode IS NULL THEN
        RETURN iu_core.fn_iu_auto_instantiate_rollback_by_actor(p_actor);
    END IF;
    RETURN iu_core.fn_iu_auto_instantiate_from_event(
        p_event_id, 'iu.probe', p_template_id, 'probe', p_actor, p_emit_mode, 'probe');
EXCEPTION
    WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
        RAISE;
    WHEN OTHERS THEN
        RETURN jsonb_build_object('status', 'raised', 'sqlstate', SQLSTATE);
END
$$;
