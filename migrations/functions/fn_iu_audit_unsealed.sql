-- grant: owner only
-- The rows of the command record behind a place, and from before a time, that no segment lists: in their
-- order, so many at most (p_until NULL: of any time). Usually no segment goes beyond the place where the next one begins; but where the
-- clock was set back, those that were sealed before do.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_unsealed(
    p_after_at timestamptz, p_after_id uuid, p_until timestamptz, p_most integer)
RETURNS TABLE (last_at timestamptz, record_id uuid, subject_id uuid)
LANGUAGE plpgsql STABLE
-- As in fn_iu_audit_verify; and an array that is known is looked up by hash.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_listed text[] := ARRAY(
        SELECT l.record_id
          FROM iu_core.iu_audit_segment AS s
         CROSS JOIN LATERAL iu_core.fn_iu_audit_listed(s.sealed_runs) AS l
         WHERE (s.last_at, s.last_record_id) > (p_after_at, p_after_id));
BEGIN
    RETURN QUERY
    SELECT d.last_at::timestamptz, d.record_id, d.subject_id
      FROM iu_core.iu_command_record AS d
     WHERE (d.last_at, d.record_id) > (p_after_at, p_after_id)
       AND (p_until IS NULL OR d.last_at < p_until)
       AND d.record_id::text <> ALL (v_listed)
     ORDER BY d.last_at, d.record_id
     LIMIT p_most;
END
$$;
