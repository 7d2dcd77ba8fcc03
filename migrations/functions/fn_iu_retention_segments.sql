-- grant: owner only
-- The segments of the audit chain whose runs are all from before p_cutoff, as far as any may be deleted,
-- in the order of their numbers, until they have p_most rows together: whole segments only. Those that
-- are marked as retired and still have rows, too. obstacle: why one is not retired: not_exported,
-- clock_set_back (fn_iu_retention_beside), of which all are told while it is planned, and without rows;
-- or verify_finds (fn_iu_retention_obstacle). is_last: with it there are so many rows, or a million instances
-- were looked at, which are those that the runs have composed, or so much was looked through as one plan
-- does (fn_iu_retention_effort): what is behind it is left for the next.
--   p_segments  those that a plan names; NULL: it is being planned
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_segments(
    p_cutoff timestamptz, p_planned_at timestamptz, p_segments bigint[], p_most integer)
RETURNS TABLE (segment_no bigint, obstacle text, oldest timestamptz, record_ids uuid[],
              is_last boolean)
LANGUAGE plpgsql STABLE
-- As in fn_iu_audit_verify; and an array that is known is looked up by hash.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_beside  constant bigint[] := iu_core.fn_iu_retention_beside();
    v_effort  integer := iu_core.fn_iu_retention_effort();
    v_segment iu_core.iu_audit_segment;
    v_rows    bigint := 0;
    v_looked  numeric := 0;
    v_differ  boolean;
BEGIN
    IF p_segments IS NULL THEN
        RETURN QUERY
        SELECT s.segment_no,
               CASE WHEN s.exported_at <= p_planned_at THEN 'clock_set_back' ELSE 'not_exported' END,
               NULL::timestamptz, NULL::uuid[], false
          FROM iu_core.iu_audit_segment AS s
         WHERE s.last_at < p_cutoff
           AND s.retired_at IS NULL
           AND ((s.exported_at <= p_planned_at) IS NOT TRUE OR s.segment_no = ANY (v_beside));
    END IF;
    FOR segment_no IN
        SELECT s.segment_no FROM iu_core.iu_audit_segment AS s
         WHERE s.last_at < p_cutoff
           AND s.exported_at <= p_planned_at
           AND s.segment_no <> ALL (v_beside)
           AND (p_segments IS NULL OR s.segment_no = ANY (p_segments))
           AND (s.retired_at IS NULL OR EXISTS (
                   SELECT FROM iu_core.iu_command_record AS d
                    WHERE d.last_at BETWEEN s.first_at AND s.last_at))
         ORDER BY s.segment_no
    LOOP
        SELECT s.* INTO v_segment
          FROM iu_core.iu_audit_segment AS s
         WHERE s.segment_no = fn_iu_retention_segments.segment_no;
        SELECT r.record_ids, r.oldest INTO record_ids, oldest
          FROM iu_core.fn_iu_retention_runs(v_segment) AS r;
        CONTINUE WHEN record_ids IS NULL;
        IF v_differ IS NULL THEN
            -- Of the time before a segment that is retired, nothing is said of tombstones any more.
            v_differ := EXISTS (SELECT FROM iu_core.fn_iu_audit_finding_tombstones());
        END IF;
        -- What stands against all of them is not looked for in each.
        IF v_differ THEN
            obstacle := 'verify_finds';
        ELSE
            obstacle := iu_core.fn_iu_retention_obstacle(v_segment, p_planned_at);
            SELECT v_looked + coalesce(sum(CASE jsonb_typeof(d.counts -> 'composed')
                                               WHEN 'number' THEN (d.counts ->> 'composed')::numeric END), 0)
              INTO v_looked
              FROM iu_core.iu_command_record AS d
             WHERE d.last_at BETWEEN v_segment.first_at AND v_segment.last_at
               AND d.record_id = ANY (record_ids);
        END IF;
        v_effort := v_effort - 50 - cardinality(record_ids);
        v_rows := v_rows + CASE WHEN obstacle IS NULL THEN cardinality(record_ids) ELSE 0 END;
        is_last := v_rows >= p_most OR v_looked >= 1000000 OR v_effort <= 0;
        RETURN NEXT;
        EXIT WHEN is_last;
    END LOOP;
END
$$;
