-- grant: owner only
-- The ids of the instances that a selection means, sorted, at most one more than p_limit, which says
-- that there are too many; and whose they are: the distinct actors, sorted. Only instances that an
-- event composed, for only those have an actor.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_select(
    p_selection iu_core.iu_rollback_selection, p_limit integer, OUT ids uuid[], OUT actors text[])
LANGUAGE plpgsql VOLATILE
-- A plan for all combinations of selectors would read the whole table; each call gets its own.
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    IF p_selection.template IS NULL
       AND num_nonnulls(p_selection.actor, p_selection.operation_id, p_selection.event_id) > 0 THEN
        SELECT array_agg(s.id ORDER BY s.id), array_agg(DISTINCT s.actor) INTO ids, actors
          FROM (SELECT l.instance_collection_id AS id, l.actor
                  FROM iu_core.iu_auto_instantiate_event_log AS l
                 WHERE (p_selection.actor IS NULL OR l.actor = p_selection.actor)
                   AND (p_selection.operation_id IS NULL
                        OR l.operation_id = p_selection.operation_id)
                   AND (p_selection.event_id IS NULL OR l.event_id = p_selection.event_id)
                   AND (p_selection.composed_from IS NULL
                        OR l.composed_at >= p_selection.composed_from)
                   AND (p_selection.composed_to IS NULL
                        OR l.composed_at < p_selection.composed_to)
                 LIMIT p_limit + 1) AS s;
    ELSE
        -- The log has no index by template or by time alone; the lineage, which says the same, has.
        SELECT array_agg(s.id ORDER BY s.id), array_agg(DISTINCT s.actor) INTO ids, actors
          FROM (SELECT l.instance_collection_id AS id, l.actor
                  FROM iu_core.iu_collection_template_instance_lineage AS g
                  JOIN iu_core.iu_auto_instantiate_event_log AS l
                    ON l.instance_collection_id = g.instance_collection_id
                 WHERE (p_selection.template_ids IS NULL
                        OR g.template_collection_id = ANY (p_selection.template_ids))
                   AND (p_selection.composed_from IS NULL
                        OR g.composed_at >= p_selection.composed_from)
                   AND (p_selection.composed_to IS NULL
                        OR g.composed_at < p_selection.composed_to)
                   AND (p_selection.actor IS NULL OR l.actor = p_selection.actor)
                   AND (p_selection.operation_id IS NULL
                        OR l.operation_id = p_selection.operation_id)
                   AND (p_selection.event_id IS NULL OR l.event_id = p_selection.event_id)
                 LIMIT p_limit + 1) AS s;
    END IF;
    ids := coalesce(ids, '{}');
    actors := coalesce(actors, '{}');
END
$$;
