-- grant: iu_app
-- Waits until every transaction is over that goes by the outbound routes, lanes and live routes as they
-- were: takes their lock exclusively, which is released when the transaction ends. Call it after the
-- change was committed, alone in a transaction. It gives up after a moment, since whoever comes to the
-- lock meanwhile waits behind it: call it again. Locks are local to a node: on a distributed database,
-- drain each.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_outbound_routes_drain()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
SET lock_timeout = '50ms'
AS $$
BEGIN
    PERFORM iu_core.fn_iu_lock('outbound_routes', ARRAY['outbound_routes'], false);
END
$$;
