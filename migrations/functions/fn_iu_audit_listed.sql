-- grant: owner only
-- The runs of a segment's list, in its order, whatever somebody has made of it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_listed(p_sealed_runs text)
RETURNS TABLE (place bigint, record_id text, run_digest text)
LANGUAGE sql IMMUTABLE
AS $$
    SELECT l.place, split_part(l.line, '  ', 2), split_part(l.line, '  ', 1)
      FROM string_to_table(rtrim(p_sealed_runs, E'\n'), E'\n') WITH ORDINALITY AS l(line, place)
$$;
