-- grant: owner only
-- Takes the gates' locks, shared, and says
--   closed     the first of them, in the order given, that does not admit the actor; NULL: all do
--   lease_ids  the leases by which the others do; NULL: they are open by themselves
-- Until the transaction ends no closing of these gates is answered. A plain read instead of the lock
-- let a transaction commit after the closing was answered; a row lock kept the closing waiting behind
-- every newcomer.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_admit(
    p_gate_keys text[], p_actor text, OUT closed text, OUT lease_ids uuid[])
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_gate   text;
    v_leases uuid[];
BEGIN
    PERFORM iu_core.fn_iu_lock('gate', p_gate_keys, true);
    FOREACH v_gate IN ARRAY p_gate_keys LOOP
        v_leases := iu_core.fn_iu_gate_admission(v_gate, p_actor, iu_core.fn_iu_now());
        IF v_leases IS NULL THEN
            closed := v_gate;
            EXIT;
        END IF;
        lease_ids := nullif(lease_ids || v_leases, '{}');
    END LOOP;
END
$$;
