-- grant: iu_app
-- The data of these items of an operation, RFC 8785 text, in their order: for a runner that has to
-- judge it anew.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_data(p_operation_id uuid, p_ordinals integer[])
RETURNS TABLE (ordinal integer, data text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT i.ordinal, coalesce(i.request ->> 'data', '{}')
      FROM iu_core.iu_operation_item AS i
     WHERE i.operation_id = p_operation_id AND i.ordinal = ANY (p_ordinals)
       -- As in fn_iu_operation_instantiate.
       AND i.ordinal BETWEEN p_ordinals[1] AND p_ordinals[cardinality(p_ordinals)]
     ORDER BY i.ordinal;
END
$$;
