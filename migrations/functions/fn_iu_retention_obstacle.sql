-- grant: owner only
-- Why a segment of the audit chain that lies beside no other is not retired by a plan of this time; NULL:
-- nothing stands against it.
--   not_exported    no head of it, or of a later one, was given away by then
--   verify_finds    verifying finds something in it; retiring it would hide that
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_obstacle(
    p_segment iu_core.iu_audit_segment, p_planned_at timestamptz)
RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF p_segment.exported_at IS NULL OR p_segment.exported_at > p_planned_at THEN
        RETURN 'not_exported';
    ELSIF EXISTS (SELECT FROM iu_core.fn_iu_audit_finding_segment(p_segment.segment_no))
          OR EXISTS (SELECT FROM iu_core.fn_iu_audit_finding_runs(p_segment.segment_no))
          -- Of one that is retired already the runs that knew them may be gone.
          OR p_segment.retired_at IS NULL AND EXISTS (
                 SELECT FROM iu_core.fn_iu_audit_finding_instances(
                                 iu_core.fn_iu_audit_after(p_segment), p_segment.last_at)) THEN
        RETURN 'verify_finds';
    END IF;
    RETURN NULL;
END
$$;
