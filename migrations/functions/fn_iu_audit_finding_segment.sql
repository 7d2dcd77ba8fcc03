-- grant: owner only
-- What is wrong with a segment of the audit chain in itself, and with its place in the chain:
--   segment_edited    its digest is not that of its head, or its list not what its head says
--   segment_unlinked  it does not say of the one before what that says of itself
--   segment_late      its first run is from before the end of the segment before: the clock was set back
--   export_unrecorded, retirement_unrecorded  no run has done what is noted of it
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_segment(p_segment_no bigint)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT f.kind, 'segment ' || p_segment_no, f.expected, coalesce(f.actual, 'none')
      FROM iu_core.iu_audit_segment AS s
      LEFT JOIN iu_core.iu_audit_segment AS b ON b.segment_no = s.segment_no - 1
     CROSS JOIN LATERAL (VALUES
               ('segment_edited', s.segment_digest,
                iu_core.fn_iu_sha256(iu_core.fn_iu_audit_head(s))),
               ('segment_edited', s.runs_digest, iu_core.fn_iu_sha256(s.sealed_runs)),
               ('segment_unlinked',
                CASE WHEN s.segment_no = 1 THEN repeat('0', 64) ELSE b.segment_digest END,
                s.previous_digest),
               ('segment_late',
                CASE WHEN s.first_at < b.last_at THEN 'after ' || iu_core.fn_iu_utc(b.last_at) END,
                iu_core.fn_iu_utc(s.first_at)),
               ('export_unrecorded', CASE WHEN s.exported_at IS NOT NULL THEN 'its run' END,
                (SELECT 'its run' FROM iu_core.iu_command_record AS d
                  WHERE d.subject_id = s.exported_by
                    AND d.command = 'export_audit_head'
                    AND d.outcome = 'done'
                    AND d.details -> 'segment_no' >= to_jsonb(s.segment_no)
                  LIMIT 1)),
               ('retirement_unrecorded', CASE WHEN s.retired_at IS NOT NULL THEN 'its run' END,
                (SELECT 'its run' FROM iu_core.iu_command_record AS d
                  WHERE d.subject_id = s.retired_by
                    AND d.outcome = 'done'
                    AND d.details -> 'retired' ->> s.segment_no::text = s.segment_digest
                  LIMIT 1))
           ) AS f(kind, expected, actual)
     WHERE s.segment_no = p_segment_no AND f.expected <> coalesce(f.actual, 'none')
$$;
