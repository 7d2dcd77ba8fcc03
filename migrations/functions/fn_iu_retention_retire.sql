-- grant: owner only
-- Retires segments that a plan names and deletes their rows of the command record, each segment wholly,
-- until p_most rows are deleted: {"rows", "retired" {segment_no: segment_digest}, "tried" {template: how
-- many dry runs of it the counters have to forget}}. One that is retired already keeps its mark. The caller's run has
-- p_plan_id as its subject, and says which it has retired.
-- Locks: audit.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_retire(
    p_target jsonb, p_planned_at timestamptz, p_most integer, p_plan_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_named   constant bigint[] := ARRAY(
        SELECT e::bigint FROM jsonb_array_elements_text(p_target -> 'segments') AS e);
    v_one     record;
    v_segment iu_core.iu_audit_segment;
    v_gone    bigint;
    v_rows    bigint := 0;
    v_retired jsonb := '{}';
    v_sums    jsonb;
    v_tried   jsonb[] := '{}';
BEGIN
    PERFORM iu_core.fn_iu_lock('audit', ARRAY['chain'], false);
    FOR v_one IN
        SELECT s.* FROM iu_core.fn_iu_retention_segments(
                            (p_target ->> 'cutoff')::timestamptz, p_planned_at, v_named, p_most) AS s
         WHERE s.obstacle IS NULL
    LOOP
        SELECT s.* INTO v_segment
          FROM iu_core.iu_audit_segment AS s WHERE s.segment_no = v_one.segment_no;
        IF v_segment.retired_at IS NULL THEN
            UPDATE iu_core.iu_audit_segment AS s
               SET retired_at = iu_core.fn_iu_fact_time(), retired_by = p_plan_id
             WHERE s.segment_no = v_one.segment_no;
            v_retired := v_retired
                || jsonb_build_object(v_segment.segment_no, v_segment.segment_digest);
        END IF;
        SELECT jsonb_agg(jsonb_build_object('template', t.template, 'tried', t.tried)) INTO v_sums
          FROM (SELECT d.template_collection_id AS template, sum(d.occurrences) AS tried
                  FROM iu_core.iu_command_record AS d
                 WHERE d.last_at BETWEEN v_segment.first_at AND v_segment.last_at
                   AND d.record_id = ANY (v_one.record_ids)
                   AND d.outcome = 'dry_run'
                   AND d.template_collection_id IS NOT NULL
                 GROUP BY d.template_collection_id) AS t;
        v_tried := v_tried || v_sums;
        DELETE FROM iu_core.iu_command_record AS d
         WHERE d.last_at BETWEEN v_segment.first_at AND v_segment.last_at
           AND d.record_id = ANY (v_one.record_ids);
        GET DIAGNOSTICS v_gone = ROW_COUNT;
        v_rows := v_rows + v_gone;
    END LOOP;
    SELECT coalesce(jsonb_object_agg(t.template, t.tried), '{}') INTO v_sums
      FROM (SELECT e.value ->> 'template' AS template, sum((e.value ->> 'tried')::bigint) AS tried
              FROM unnest(v_tried) AS s(sums)
             CROSS JOIN LATERAL jsonb_array_elements(s.sums) AS e
             GROUP BY 1) AS t;
    RETURN jsonb_build_object('rows', v_rows, 'retired', v_retired, 'tried', v_sums);
END
$$;
