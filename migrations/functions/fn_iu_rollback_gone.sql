-- grant: owner only
-- Which instances of a plan others have rolled back since, given those that are there now; NULL
-- when the two together are not the plan: then its ground has moved.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_gone(
    p_selection iu_core.iu_rollback_selection, p_present uuid[], p_plan_digest text,
    p_planned_at timestamptz)
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_gone uuid[];
BEGIN
    -- What was rolled back since and is there again was composed again: the plan did not mean it.
    IF EXISTS (SELECT FROM iu_core.iu_instance_tombstone AS t
                WHERE t.instance_collection_id = ANY (p_present)
                  AND t.rolled_back_at >= p_planned_at) THEN
        RETURN NULL;
    END IF;
    IF iu_core.fn_iu_rollback_digest(p_present) = p_plan_digest THEN
        RETURN '{}';
    END IF;
    v_gone := iu_core.fn_iu_rollback_buried(
        p_selection, p_planned_at, false, iu_core.fn_iu_rollback_limit(true));
    IF iu_core.fn_iu_rollback_digest(p_present || v_gone) = p_plan_digest THEN
        RETURN v_gone;
    END IF;
    RETURN NULL;
END
$$;
