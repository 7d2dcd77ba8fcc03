-- grant: owner only
-- How many instances a template has, from its counters. Exact under the exclusive lock of its
-- family, because composing holds that lock, shared, until it has counted.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_instance_count(p_collection_id uuid)
RETURNS bigint
LANGUAGE sql VOLATILE
AS $$
    SELECT coalesce(sum(c.instance_count), 0)::bigint
      FROM iu_core.iu_template_counter AS c
     WHERE c.template_collection_id = p_collection_id
       AND c.emit_mode IN ('live', 'none')
$$;
