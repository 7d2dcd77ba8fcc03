-- grant: owner only
-- The runs of a time at which nobody can have done anything: verifying would never look at one from before
-- all segments, and one from behind all times would never be sealed.
--   run_untimely  somebody has put it in, or has moved it there
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_untimely()
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT 'run_untimely', 'run ' || d.record_id, 'from 1970-01-01 to 9999-12-31', d.last_at::text
      FROM iu_core.iu_command_record AS d
     WHERE d.last_at < '1970-01-01 00:00:00+00' OR d.last_at > '9999-12-31 00:00:00+00'
$$;
