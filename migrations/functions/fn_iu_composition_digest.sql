-- grant: owner only
-- SHA-256 over one line per piece, `position TAB role TAB content digest LF`, as 64 lower-case hex
-- digits. Two arrays of one length, in order; positions are counted from 1. NULL when an argument
-- is, or when there is no piece. Worked examples are in docs/digests.md.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_composition_digest(p_roles text[], p_content_digests text[])
RETURNS text
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.string_agg(
               i.place || E'\t' || i.role || E'\t' || i.content_digest || E'\n', ''
               ORDER BY i.place), 'UTF8')), 'hex')
      FROM ROWS FROM (pg_catalog.unnest(p_roles), pg_catalog.unnest(p_content_digests))
           WITH ORDINALITY AS i(role, content_digest, place)
$$;
