-- grant: owner only
-- What a segment says of itself and of the chain before it, a line each: its SHA-256 is the segment's
-- digest, and it is what an exported head consists of (docs/audit.md). sealed_by comes last: it is the
-- only text that is free.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_head(p_segment iu_core.iu_audit_segment)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT format(E'segment %s\nruns %s\nfrom %s\nto %s %s\nsealed %s\nruns_sha256 %s\n'
                      'previous_sha256 %s\nsealed_by %s\n',
                  p_segment.segment_no, p_segment.runs, iu_core.fn_iu_utc(p_segment.first_at),
                  iu_core.fn_iu_utc(p_segment.last_at), p_segment.last_record_id,
                  iu_core.fn_iu_utc(p_segment.sealed_at), p_segment.runs_digest,
                  p_segment.previous_digest, p_segment.sealed_by)
$$;
