-- grant: owner only
-- Whether each tombstone is of a rollback that a run of a command has done, and there are as many as it
-- says. One that somebody has put in would hide that its instance was removed.
--   tombstones_differ  there are more or fewer of a rollback than its runs say, or there is no such run;
--                      of rollbacks from before there were runs, all together
-- Nothing is said of rollbacks from before the end of a segment that was retired: their runs may be gone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_tombstones()
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    -- As in fn_iu_audit_finding_older.
    WITH older AS MATERIALIZED (
        SELECT d.record_id, d.last_at, d.details ->> 'tombstones' AS said
          FROM iu_core.iu_command_record AS d
         WHERE d.subject_id = '00000000-0000-0000-0000-000000000000'
           AND d.command = 'migrate_database'
    ), buried AS MATERIALIZED (
        SELECT t.rollback_operation_id, count(*) AS tombstones, min(t.rolled_back_at) AS first_at
          FROM iu_core.iu_instance_tombstone AS t
         WHERE t.rolled_back_at > coalesce((SELECT max(o.last_at) FROM older AS o), '-infinity')
         GROUP BY t.rollback_operation_id
    ), deleted AS MATERIALIZED (
        SELECT d.subject_id, d.command,
               CASE jsonb_typeof(d.counts -> 'deleted')
                   WHEN 'number' THEN (d.counts ->> 'deleted')::numeric END AS instances
          FROM buried AS b
          JOIN iu_core.iu_command_record AS d ON d.subject_id = b.rollback_operation_id
         WHERE d.outcome = 'done'
           AND d.command IN ('apply_rollback', 'rollback_by_actor', 'work_on_operations')
    ), ran AS (
        -- An operation has a run for each chunk. Elsewhere the service's own retry has one more.
        SELECT e.subject_id,
               coalesce(sum(e.instances) FILTER (WHERE e.command = 'work_on_operations'), 0)
               + coalesce(max(e.instances) FILTER (WHERE e.command <> 'work_on_operations'), 0)
                   AS instances
          FROM deleted AS e
         GROUP BY e.subject_id
    )
    SELECT 'tombstones_differ', 'rollback ' || b.rollback_operation_id,
           coalesce(r.instances::text, 'its run'), b.tombstones::text
      FROM buried AS b
      LEFT JOIN ran AS r ON r.subject_id = b.rollback_operation_id
     WHERE r.instances IS DISTINCT FROM b.tombstones
       AND b.first_at > coalesce((SELECT max(s.last_at) FROM iu_core.iu_audit_segment AS s
                                   WHERE s.retired_at IS NOT NULL), '-infinity')
    UNION ALL
    SELECT 'tombstones_differ', 'run ' || o.record_id, o.said, t.tombstones
      FROM older AS o
     CROSS JOIN LATERAL (
           SELECT count(*)::text AS tombstones
             FROM iu_core.iu_instance_tombstone AS b WHERE b.rolled_back_at <= o.last_at) AS t
     WHERE o.said <> t.tombstones
$$;
