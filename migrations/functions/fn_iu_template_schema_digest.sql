-- grant: owner only
-- SHA-256 of a template's schema, given as RFC 8785 text, as 64 lower-case hex digits. NULL for NULL.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_schema_digest(p_schema text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_schema, 'UTF8')), 'hex')
$$;
