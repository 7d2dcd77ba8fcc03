-- grant: owner only
-- Whether the instances from before there were runs are those that there were when the database was brought
-- to this schema: fn_iu_audit_older, then and now. Where there were none, there is no run of them.
--   instances_differ  one was removed without a tombstone, put in, or changed
--   run_inserted      the run was put in later, to excuse instances: it is made with the tables of runs, so
--                     none has composed anything before it
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_older()
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    WITH run AS MATERIALIZED (
        SELECT d.record_id, d.last_at,
               concat_ws(' ', d.details ->> 'instances', d.details ->> 'instances_sha256') AS said
          FROM iu_core.iu_command_record AS d
         WHERE d.subject_id = '00000000-0000-0000-0000-000000000000'
           AND d.command = 'migrate_database'
    ), compared AS MATERIALIZED (
        -- Not asked where there is no run: it looks at every instance.
        SELECT r.record_id, r.said,
               (SELECT concat_ws(' ', o.instances, o.instances_sha256)
                  FROM iu_core.fn_iu_audit_older() AS o) AS is_now
          FROM run AS r
    )
    SELECT 'instances_differ', 'run ' || c.record_id, c.said, c.is_now
      FROM compared AS c
     WHERE c.said <> c.is_now
    UNION ALL
    SELECT 'run_inserted', 'run ' || r.record_id, 'the first', 'later'
      FROM run AS r
     WHERE EXISTS (SELECT FROM iu_core.iu_command_record AS d
                    WHERE d.last_at < r.last_at AND d.instances_digest IS NOT NULL)
$$;
