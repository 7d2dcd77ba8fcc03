-- grant: owner only
-- A media type as it is stored and digested: lower case, without parameters. NULL when the text
-- is no media type (RFC 6838, section 4.2).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_media_type(p_media_type text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT m.bare
      FROM (SELECT pg_catalog.lower(pg_catalog.btrim(pg_catalog.split_part(p_media_type, ';', 1), E' \t')
                                    COLLATE pg_catalog."C")) AS m(bare)
     WHERE m.bare ~ '^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$'
$$;
