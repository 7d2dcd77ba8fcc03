-- grant: owner only
-- What removing these instances would remove, and what stands against it: {"instances",
-- "lineage_rows", "log_rows", "blockers"}.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_counts(p_ids uuid[])
RETURNS jsonb
LANGUAGE sql VOLATILE
AS $$
    SELECT pg_catalog.jsonb_build_object(
               'instances', (SELECT count(*) FROM iu_core.iu_piece_collection AS c
                              WHERE c.collection_id = ANY (p_ids)),
               'lineage_rows', (SELECT count(*)
                                  FROM iu_core.iu_collection_template_instance_lineage AS g
                                 WHERE g.instance_collection_id = ANY (p_ids)),
               'log_rows', (SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log AS l
                             WHERE l.instance_collection_id = ANY (p_ids)))
           || iu_core.fn_iu_rollback_blockers(p_ids, false)
$$;
