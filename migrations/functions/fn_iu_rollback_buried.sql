-- grant: owner only
-- The ids of the rolled-back instances that a selection means, sorted; at most one more
-- than p_limit, which says that there are too many.
--   p_planned_at       only those that were there at that time and were rolled back since;
--                      NULL: rolled back at any time
--   p_only_unreleased  only those whose keys are still kept
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_buried(
    p_selection iu_core.iu_rollback_selection, p_planned_at timestamptz, p_only_unreleased boolean,
    p_limit integer)
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_ids uuid[];
BEGIN
    SELECT array_agg(DISTINCT s.id ORDER BY s.id) INTO v_ids
      FROM (SELECT t.instance_collection_id AS id
              FROM iu_core.iu_instance_tombstone AS t
             WHERE (p_selection.actor IS NULL OR t.actor = p_selection.actor)
               AND (p_selection.operation_id IS NULL OR t.operation_id = p_selection.operation_id)
               AND (p_selection.event_id IS NULL OR t.event_id = p_selection.event_id)
               AND (p_selection.template_ids IS NULL
                    OR t.template_collection_id = ANY (p_selection.template_ids))
               AND (p_selection.composed_from IS NULL
                    OR t.composed_at >= p_selection.composed_from)
               AND (p_selection.composed_to IS NULL OR t.composed_at < p_selection.composed_to)
               AND (p_planned_at IS NULL
                    OR (t.rolled_back_at >= p_planned_at AND t.composed_at < p_planned_at))
               AND (NOT p_only_unreleased OR t.released_at IS NULL)
             LIMIT p_limit + 1) AS s;
    RETURN coalesce(v_ids, '{}');
END
$$;
