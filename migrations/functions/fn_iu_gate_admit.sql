-- grant: owner only
-- Takes the gates' locks, shared, and answers the first of them, in the order given, that does not
-- admit the actor; NULL when all do. Until the transaction ends no closing of these gates is
-- answered. A plain read instead of the lock let a transaction commit after the closing was
-- answered; a row lock kept the closing waiting behind every newcomer.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_admit(p_gate_keys text[], p_actor text)
RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_closed text;
BEGIN
    PERFORM iu_core.fn_iu_lock('gate', p_gate_keys, true);
    SELECT g.gate_key INTO v_closed
      FROM unnest(p_gate_keys) WITH ORDINALITY AS g(gate_key, place)
     WHERE iu_core.fn_iu_gate_is_open(g.gate_key, p_actor, iu_core.fn_iu_now()) IS NOT TRUE
     ORDER BY g.place
     LIMIT 1;
    RETURN v_closed;
END
$$;
