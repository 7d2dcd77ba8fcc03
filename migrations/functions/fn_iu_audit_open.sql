-- grant: owner only
-- Whether the command record has rows behind a place, and from before a time.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_open(
    p_after_at timestamptz, p_after_id uuid, p_until timestamptz)
RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (SELECT FROM iu_core.iu_command_record AS d
                    WHERE (d.last_at, d.record_id) > (p_after_at, p_after_id)
                      AND d.last_at < p_until)
$$;
