-- grant: owner only
-- Sets the factory's clock ahead of the machine's, for tests: nothing else may move time, and a
-- session setting could be set by anyone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_set_clock(p_ahead interval)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    UPDATE iu_core.iu_clock SET set_ahead = p_ahead
$$;
