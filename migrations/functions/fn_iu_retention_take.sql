-- grant: owner only
-- Deletes what a plan names and is still there, until one call has deleted enough; nothing of it in a dry
-- run (p_most 0): {"rows" and "counts" (by target), "targets" (as they are answered), "retired", "tried"
-- (fn_iu_retention_retire), "complete": nothing of the plan is left that may go}.
--   p_gone     rows by target that the plan's earlier calls have deleted; NULL: there were none, and all
--              that it names may go
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_take(
    p_plan jsonb, p_plan_id uuid, p_gone jsonb, p_most integer)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_most    integer := p_most;
    v_target  jsonb;
    v_name    text;
    v_planned bigint;
    v_gone    bigint;
    v_rows    bigint;
    v_left    bigint := 0;
    v_may_go  boolean := false;
    v_done    bigint := 0;
    v_removed jsonb := '{"retired": {}, "tried": {}}';
    v_counts  jsonb := '{}';
    v_targets jsonb := '[]';
BEGIN
    FOR v_target IN SELECT t.value FROM jsonb_array_elements(p_plan -> 'targets') AS t LOOP
        v_name := v_target ->> 'target';
        v_planned := v_target ->> 'rows_eligible';
        v_gone := coalesce((p_gone ->> v_name)::bigint, 0);
        v_rows := 0;
        IF v_most > 0 AND v_gone < v_planned THEN
            IF v_name = 'command_record' THEN
                v_removed := iu_core.fn_iu_retention_retire(
                    v_target, (p_plan ->> 'planned_at')::timestamptz, v_most, p_plan_id);
                v_rows := v_removed ->> 'rows';
            ELSE
                v_rows := iu_core.fn_iu_retention_remove(v_target, v_most);
            END IF;
        ELSIF p_most = 0 AND v_gone < v_planned AND NOT v_may_go THEN
            v_may_go := p_gone IS NULL OR iu_core.fn_iu_retention_left(
                v_target, (p_plan ->> 'planned_at')::timestamptz);
        END IF;
        v_most := greatest(0, v_most - v_rows);
        v_done := v_done + v_rows;
        v_left := v_left + v_planned - v_gone - v_rows;
        v_counts := v_counts || jsonb_build_object(v_name, v_rows);
        v_targets := v_targets || jsonb_build_array(
            '{"oldest": null}'::jsonb || v_target
            - ARRAY['ids_sha256', 'until_at', 'until_id', 'segments']
            || jsonb_build_object('rows_deleted', v_rows, 'rows_gone', v_gone,
                                  'rows_left', v_planned - v_gone - v_rows));
    END LOOP;
    RETURN v_removed || jsonb_build_object(
        'rows', v_done, 'counts', v_counts, 'targets', v_targets,
        'complete', CASE WHEN p_most = 0 THEN NOT v_may_go ELSE v_left = 0 OR v_most > 0 END);
END
$$;
