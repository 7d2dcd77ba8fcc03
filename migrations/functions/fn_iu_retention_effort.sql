-- grant: owner only
-- How much of looking through segments one plan does at most, so that it takes seconds: a row counts one,
-- and each segment fifty more, for that is about what it costs besides.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_effort()
RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$
    SELECT 200000
$$;
