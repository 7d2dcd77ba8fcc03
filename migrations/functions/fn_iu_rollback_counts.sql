-- grant: owner only
-- What removing these instances would remove, and what stands against it: {"instances",
-- "lineage_rows", "log_rows", "blockers"}. Foreign keys give each log row one lineage row and one
-- collection, so that a million of them need not be counted three times.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_counts(p_ids uuid[])
RETURNS jsonb
LANGUAGE sql VOLATILE
AS $$
    SELECT pg_catalog.jsonb_build_object(
               'instances', pg_catalog.cardinality(p_ids),
               'lineage_rows', pg_catalog.cardinality(p_ids),
               'log_rows', pg_catalog.cardinality(p_ids))
           || iu_core.fn_iu_rollback_blockers(p_ids, false)
$$;
