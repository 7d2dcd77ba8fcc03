-- grant: owner only
-- The highest number that a template of a family bears, in the chain or not; 0 when there is none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_highest_number(p_family_key text)
RETURNS integer
LANGUAGE sql VOLATILE
AS $$
    SELECT coalesce(max(substring(r.template_key FROM '/v([0-9]+)$')::integer), 0)
      FROM iu_core.iu_collection_template_registry AS r
     WHERE split_part(r.template_key, '/', 1) = p_family_key
$$;
