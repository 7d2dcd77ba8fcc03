-- grant: owner only
-- What is wrong with a segment of the audit chain in itself, and with its place in the chain:
--   segment_edited    its digest is not that of its head, or its list not what its head says
--   segment_unlinked  it does not say of the one before what that says of itself
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_segment(p_segment_no bigint)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT f.kind, 'segment ' || p_segment_no, f.expected, f.actual
      FROM iu_core.iu_audit_segment AS s
      LEFT JOIN iu_core.iu_audit_segment AS b ON b.segment_no = s.segment_no - 1
     CROSS JOIN LATERAL (VALUES
               ('segment_edited', s.segment_digest,
                iu_core.fn_iu_sha256(iu_core.fn_iu_audit_head(s))),
               ('segment_edited', s.runs_digest, iu_core.fn_iu_sha256(s.sealed_runs)),
               ('segment_unlinked',
                CASE WHEN s.segment_no = 1 THEN repeat('0', 64) ELSE b.segment_digest END,
                s.previous_digest)
           ) AS f(kind, expected, actual)
     WHERE s.segment_no = p_segment_no AND f.expected <> f.actual
$$;
