-- grant: owner only
-- The time behind which a segment's runs are: where the one before it ends. Where that is missing, just
-- before its first run, so that the missing one's runs are not taken for its own.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_after(p_segment iu_core.iu_audit_segment)
RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN p_segment.segment_no = 1 THEN '-infinity' ELSE coalesce(
               (SELECT b.last_at FROM iu_core.iu_audit_segment AS b
                 WHERE b.segment_no = p_segment.segment_no - 1),
               p_segment.first_at - interval '1 microsecond') END
$$;
