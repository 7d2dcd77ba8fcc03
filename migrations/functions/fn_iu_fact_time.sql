-- grant: owner only
-- The time of a fact that is about to be written: the factory's clock, read when the transaction has
-- its number. So whoever looks which transactions are running misses none that has taken a time.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_fact_time()
RETURNS timestamptz
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM pg_catalog.pg_current_xact_id();
    RETURN iu_core.fn_iu_now();
END
$$;
