-- grant: owner only
-- How many rows of one target a plan names at most, and how many rows one call deletes: as many as both
-- do within a few seconds. Of the command record whole segments are named and deleted, so up to a
-- thousand more.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_limit(p_of_plan boolean)
RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN p_of_plan THEN 100000 ELSE 10000 END
$$;
