-- grant: owner only
-- SHA-256 of `media type LF title LF body` in UTF-8, as 64 lower-case hex digits. The arguments are
-- taken as they are stored (fn_iu_media_type); neither of the first two can hold a line feed, so no
-- two contents share a text. NULL when an argument is. Worked examples are in docs/digests.md.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_content_digest(p_media_type text, p_title text, p_body text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
               p_media_type || E'\n' || p_title || E'\n' || p_body, 'UTF8')), 'hex')
$$;
