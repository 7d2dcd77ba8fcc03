-- grant: owner only
-- The factory's clock: the machine's, plus what the owner set it ahead by (tests only).
-- Read it after the locks are held: what it says then decides.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_now()
RETURNS timestamptz
LANGUAGE sql VOLATILE
AS $$
    SELECT pg_catalog.clock_timestamp() + c.set_ahead FROM iu_core.iu_clock AS c
$$;
