-- grant: iu_app
-- Gives the head of the audit chain away, to be signed and kept elsewhere, and notes of its segments
-- that they were exported. Answers {"status": "ok", "segment_no", "segment_digest", "head",
-- "exported_at"}; refuses with nothing_sealed. Raises audit_chain_broken where the chain does not end with
-- its last segment, or that is not what its digest is of: who has such a head would vouch for what is forged.
-- The caller signs it before the transaction ends: what could not be signed was not exported.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_export(
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command constant text := 'export_audit_head';
    v_export  constant uuid := gen_random_uuid();
    v_now     timestamptz;
    v_chain   iu_core.iu_audit_chain;
    v_segment iu_core.iu_audit_segment;
BEGIN
    PERFORM iu_core.fn_iu_lock('audit', ARRAY['chain'], false);
    SELECT s.* INTO v_segment
      FROM iu_core.iu_audit_segment AS s ORDER BY s.segment_no DESC LIMIT 1;
    SELECT c.* INTO v_chain FROM iu_core.iu_audit_chain AS c;
    IF (v_chain.segment_no, v_chain.segment_digest) IS DISTINCT FROM
           (coalesce(v_segment.segment_no, 0), coalesce(v_segment.segment_digest, repeat('0', 64)))
       OR v_segment.segment_digest <> iu_core.fn_iu_sha256(iu_core.fn_iu_audit_head(v_segment)) THEN
        RAISE EXCEPTION USING ERRCODE = 'PF409', MESSAGE = 'audit_chain_broken';
    END IF;
    IF v_segment.segment_no IS NULL THEN
        RETURN iu_core.fn_iu_refuse(
            v_command, 'nothing_sealed', NULL, p_actor, p_principal, p_request_id);
    END IF;
    v_now := iu_core.fn_iu_now();
    UPDATE iu_core.iu_audit_segment AS s SET exported_at = v_now, exported_by = v_export
     WHERE s.segment_no <= v_segment.segment_no AND s.exported_at IS NULL;
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object(
            'status', 'ok', 'segment_no', v_segment.segment_no,
            'segment_digest', v_segment.segment_digest,
            'head', iu_core.fn_iu_audit_head(v_segment), 'exported_at', v_now),
        p_actor, p_principal, p_request_id, v_export);
END
$$;
