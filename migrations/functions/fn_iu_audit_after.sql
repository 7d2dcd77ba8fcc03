-- grant: owner only
-- The time behind which a segment's runs are: where the one before it ends. Where that is missing, or
-- ends later, since the clock was set back, just before its first run.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_after(p_segment iu_core.iu_audit_segment)
RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN p_segment.segment_no = 1 THEN '-infinity' ELSE coalesce(
               (SELECT b.last_at FROM iu_core.iu_audit_segment AS b
                 WHERE b.segment_no = p_segment.segment_no - 1
                   AND b.last_at <= p_segment.first_at),
               p_segment.first_at - interval '1 microsecond') END
$$;
