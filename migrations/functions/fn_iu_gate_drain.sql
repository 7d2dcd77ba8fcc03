-- grant: iu_app
-- Waits until every transaction that passed these gates before is over: takes the gates' locks
-- exclusively, which are released when the transaction ends. Call it after fn_iu_gate_close was
-- committed, alone in a transaction, best gate by gate: whoever comes to a gate meanwhile waits
-- behind this call, to be refused by a closed gate afterwards. It waits without a lock timeout, as
-- long as statement_timeout allows. Locks are local to a node: on a distributed database, drain
-- each.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_drain(p_gate_keys text[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
SET lock_timeout = 0
AS $$
BEGIN
    PERFORM iu_core.fn_iu_lock('gate', p_gate_keys, false);
END
$$;
