-- grant: owner only
-- Whether a document has the form of what fn_iu_conformance_manifest answers, so that it can be read as
-- one.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_is_manifest(p_document jsonb)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT jsonb_typeof(p_document) = 'object'
       AND jsonb_typeof(p_document -> 'postgresql') IS NOT DISTINCT FROM 'number'
       AND jsonb_typeof(p_document -> 'revision') IS NOT DISTINCT FROM 'string'
       AND jsonb_typeof(p_document -> 'files') IS NOT DISTINCT FROM 'string'
       AND coalesce(p_document ->> 'program', '') ~ '^[0-9]+[.][0-9]+[.][0-9]+$'
       -- A path that finds something else on its way answers NULL.
       AND jsonb_path_exists(p_document, 'strict $.objects.* ? (@.type() <> "object")',
                             silent => true) IS FALSE
       AND jsonb_path_exists(p_document, 'strict $.objects.*.* ? (@.type() <> "object")',
                             silent => true) IS FALSE
$$;
