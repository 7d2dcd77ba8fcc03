-- grant: owner only
-- What is wrong with the audit chain as a whole:
--   segment_removed  numbers are missing between two segments
--   chain_truncated  the chain goes on behind its last segment, or ends before it, or nothing says where it ends
--   head_missing     no segment has the digest of a head that was exported (p_head; NULL: none)
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_chain(p_head text)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT 'segment_removed',
           'segment ' || concat_ws(' to ', n.before_no + 1, nullif(n.segment_no - 1, n.before_no + 1)),
           'a segment', 'none'
      FROM (SELECT s.segment_no,
                   coalesce(lag(s.segment_no) OVER (ORDER BY s.segment_no), 0) AS before_no
              FROM iu_core.iu_audit_segment AS s) AS n
     WHERE n.segment_no > n.before_no + 1
    UNION ALL
    SELECT 'chain_truncated', coalesce('segment ' || c.segment_no, 'chain'),
           coalesce(c.segment_no || ' ' || c.segment_digest, 'its end'),
           coalesce(e.segment_no || ' ' || e.segment_digest, 'none')
      FROM (SELECT) AS one
      LEFT JOIN iu_core.iu_audit_chain AS c ON true
      LEFT JOIN (SELECT s.segment_no, s.segment_digest FROM iu_core.iu_audit_segment AS s
                  ORDER BY s.segment_no DESC LIMIT 1) AS e ON true
     WHERE (c.segment_no, c.segment_digest)
           IS DISTINCT FROM (coalesce(e.segment_no, 0), coalesce(e.segment_digest, repeat('0', 64)))
    UNION ALL
    SELECT 'head_missing', 'head ' || p_head, 'a segment', 'none'
     WHERE p_head IS NOT NULL
       AND NOT EXISTS (SELECT FROM iu_core.iu_audit_segment AS s WHERE s.segment_digest = p_head)
$$;
