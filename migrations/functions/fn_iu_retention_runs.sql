-- grant: owner only
-- The rows of the command record that a segment has sealed, that are still there, and that may go with it:
-- in their order, and when the oldest was; NULL: there are none. Kept for ever are the runs by which
-- verifying believes a segment's marks, and what there was before there were runs.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_runs(
    p_segment iu_core.iu_audit_segment, OUT record_ids uuid[], OUT oldest timestamptz)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_listed text[];
BEGIN
    -- Of a segment that was retired long ago there is nothing, and its list need not be read.
    IF NOT EXISTS (SELECT FROM iu_core.iu_command_record AS d
                    WHERE d.last_at BETWEEN p_segment.first_at AND p_segment.last_at) THEN
        RETURN;
    END IF;
    v_listed := ARRAY(SELECT l.record_id
                        FROM iu_core.fn_iu_audit_listed(p_segment.sealed_runs) AS l);
    SELECT array_agg(d.record_id ORDER BY d.last_at, d.record_id), min(d.last_at)
      INTO record_ids, oldest
      FROM iu_core.iu_command_record AS d
     WHERE d.last_at BETWEEN p_segment.first_at AND p_segment.last_at
       AND d.record_id::text = ANY (v_listed)
       AND d.command <> 'migrate_database'
       AND (d.outcome <> 'done'
            OR d.command NOT IN ('export_audit_head', 'cleanup_retention')
               AND NOT d.details ? 'retired');
END
$$;
