-- grant: owner only
-- Where the audit chain ends, and what there is behind it: see fn_iu_audit_verify, and "looked_until",
-- up to where the rows behind it were looked at.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_end()
RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_chain iu_core.iu_audit_chain;
    v_runs  bigint;
    v_since timestamptz;
    v_until timestamptz;
BEGIN
    SELECT c.* INTO v_chain FROM iu_core.iu_audit_chain AS c;
    SELECT count(*), min(r.last_at), max(r.last_at) INTO v_runs, v_since, v_until
      FROM (SELECT d.last_at FROM iu_core.iu_command_record AS d
             WHERE (d.last_at, d.record_id) > (v_chain.last_at, v_chain.last_record_id)
             ORDER BY d.last_at, d.record_id
             LIMIT 10001) AS r;
    RETURN jsonb_build_object(
        'unsealed', jsonb_build_object(
            'runs', least(v_runs, 10000), 'since', v_since, 'more', v_runs > 10000),
        'looked_until', CASE WHEN v_runs > 10000 THEN v_until - interval '1 microsecond'
                             ELSE 'infinity' END,
        'segment_no', nullif(v_chain.segment_no, 0),
        'segment_digest', CASE WHEN v_chain.segment_no > 0 THEN v_chain.segment_digest END,
        'sealed_until', CASE WHEN v_chain.segment_no > 0 THEN v_chain.last_at END);
END
$$;
