-- grant: owner only
-- The second integer of an advisory lock: the first 32 bits of an md5. Never hashtext, whose
-- values may change with PostgreSQL's major. Two names may share a key; that costs a wait, no more.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_lock_key(p_name text)
RETURNS integer
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT ('x' || pg_catalog.substr(pg_catalog.md5(p_name), 1, 8))::bit(32)::integer
$$;
