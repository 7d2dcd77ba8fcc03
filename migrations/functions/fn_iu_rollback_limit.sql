-- grant: owner only
-- The most instances that one rollback takes: in one transaction 10,000; in chunks, as an operation,
-- as many as a plan counts within its time and a few hundred megabytes.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_limit(p_in_chunks boolean)
RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN p_in_chunks THEN 2000000 ELSE 10000 END
$$;
