-- grant: owner only
-- What a plan names of one target: its policy, "cutoff" (nothing younger is named), "rows_eligible", the
-- time of the "oldest", "more" (there may be more than a plan names), "held" (of the command record, how
-- many segments are old enough and why they are not named), and what tells the rows: "ids_sha256", and up
-- to which of them it goes ("until_at", "until_id") or which segments these are ("segments").
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_target(
    p_policy iu_core.iu_core_retention_policy, p_planned_at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_most     constant integer := iu_core.fn_iu_retention_limit(true);
    v_cutoff   constant timestamptz := p_planned_at - p_policy.keep_days * interval '24 hours';
    v_ids      uuid[];
    v_times    timestamptz[];
    v_oldest   timestamptz;
    v_more     boolean := false;
    v_segments jsonb;
    v_held     jsonb := '{}';
    v_last     bigint;
BEGIN
    IF NOT p_policy.enabled THEN
        v_ids := '{}';
    ELSIF p_policy.target = 'command_record' THEN
        WITH segments AS MATERIALIZED (
            SELECT s.* FROM iu_core.fn_iu_retention_segments(
                                v_cutoff, p_planned_at, NULL, v_most) AS s
        )
        SELECT array_agg(u.id ORDER BY s.segment_no), min(s.oldest),
               (SELECT jsonb_agg(n.segment_no ORDER BY n.segment_no)
                  FROM segments AS n WHERE n.obstacle IS NULL),
               (SELECT coalesce(jsonb_object_agg(h.obstacle, h.segments), '{}')
                  FROM (SELECT o.obstacle, count(*) AS segments
                          FROM segments AS o
                         WHERE o.obstacle IS NOT NULL
                         GROUP BY o.obstacle) AS h),
               (SELECT c.segment_no FROM segments AS c WHERE c.is_last)
          INTO v_ids, v_oldest, v_segments, v_held, v_last
          FROM segments AS s
         CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
         WHERE s.obstacle IS NULL;
        v_more := EXISTS (
            SELECT FROM iu_core.iu_audit_segment AS s
             WHERE s.last_at < v_cutoff AND s.exported_at <= p_planned_at AND s.segment_no > v_last);
    ELSE
        SELECT array_agg(r.id ORDER BY r.at, r.id), array_agg(r.at ORDER BY r.at, r.id)
          INTO v_ids, v_times
          FROM (SELECT a.id, a.at FROM iu_core.fn_iu_retention_attempts(
                                           v_cutoff, NULL, NULL, v_most + 1) AS a
                 WHERE p_policy.target = 'delivery_attempts'
                UNION ALL
                SELECT e.id, e.at FROM iu_core.fn_iu_retention_events(
                                           v_cutoff, NULL, NULL, v_most + 1) AS e
                 WHERE p_policy.target = 'stored_events'
                UNION ALL
                SELECT l.id, l.at FROM iu_core.fn_iu_retention_leases(
                                           v_cutoff, NULL, NULL, v_most + 1) AS l
                 WHERE p_policy.target = 'ended_leases') AS r;
        v_more := coalesce(cardinality(v_ids), 0) > v_most;
        v_ids := v_ids[1:v_most];
        v_oldest := v_times[1];
    END IF;
    v_ids := coalesce(v_ids, '{}');
    RETURN jsonb_build_object(
        'target', p_policy.target, 'enabled', p_policy.enabled, 'keep_days', p_policy.keep_days,
        'cutoff', v_cutoff, 'rows_eligible', cardinality(v_ids), 'oldest', v_oldest,
        'more', v_more, 'held', v_held, 'ids_sha256', iu_core.fn_iu_rollback_digest(v_ids),
        'until_at', v_times[cardinality(v_ids)], 'until_id', v_ids[cardinality(v_ids)],
        'segments', v_segments);
END
$$;
