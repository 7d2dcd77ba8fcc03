-- grant: owner only
-- A time as sealed texts have it, whatever the session's time zone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_utc(p_at timestamptz)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
