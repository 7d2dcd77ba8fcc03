-- grant: owner only
-- A run's line in its segment's list, as sha256sum writes it for a file that is called after the run.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_line(p_record_id uuid, p_run_text text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT iu_core.fn_iu_sha256(p_run_text) || '  ' || p_record_id::text || E'\n'
$$;
