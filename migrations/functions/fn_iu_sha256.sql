-- grant: owner only
-- The SHA-256 of a text in UTF-8, as 64 lower-case hex digits: what sha256sum prints.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_sha256(p_text text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_text, 'UTF8')), 'hex')
$$;
