-- grant: owner only
-- Where the audit chain ends, and what there is behind it: see fn_iu_audit_verify, and "looked_until",
-- up to where the rows behind it were looked at. Where nothing says where the chain ends, it is where
-- its last segment does.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_end()
RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- The last day of which every program can read the date. Somebody has put a later one in.
    v_readable constant timestamptz := to_timestamp(253402214400);
    v_chain iu_core.iu_audit_chain;
    v_last  iu_core.iu_audit_segment;
    v_runs  bigint;
    v_since timestamptz;
    v_until timestamptz;
BEGIN
    SELECT s.* INTO v_last
      FROM iu_core.iu_audit_segment AS s ORDER BY s.segment_no DESC LIMIT 1;
    SELECT c.* INTO v_chain FROM iu_core.iu_audit_chain AS c;
    IF NOT FOUND THEN
        v_chain.last_at := coalesce(v_last.last_at, '-infinity');
        v_chain.last_record_id :=
            coalesce(v_last.last_record_id, '00000000-0000-0000-0000-000000000000');
    END IF;
    SELECT count(*), min(least(r.last_at, v_readable)), max(r.last_at) INTO v_runs, v_since, v_until
      FROM iu_core.fn_iu_audit_unsealed(
               v_chain.last_at, v_chain.last_record_id, NULL, 10001) AS r;
    RETURN jsonb_build_object(
        'unsealed', jsonb_build_object(
            'runs', least(v_runs, 10000), 'since', v_since, 'more', v_runs > 10000),
        'looked_from', v_chain.last_at,
        'looked_until', CASE WHEN v_runs > 10000 THEN v_until - interval '1 microsecond'
                             ELSE 'infinity' END,
        'segment_no', v_last.segment_no, 'segment_digest', v_last.segment_digest,
        'sealed_until', CASE WHEN v_last.segment_no > 0 THEN least(v_last.last_at, v_readable) END);
END
$$;
