-- grant: owner only
-- How the audit chain proves an instance: its run, the segment that has sealed it, and the heads from
-- there to one that may be kept elsewhere.
--   p_instance_id, p_at  the instance, and when it was composed
--   p_log   the instance's row of the event log; all of it NULL for one that no event composed
--   p_head  the digest of the head that the chain is to go to; NULL: the one with which its segment
--           was first exported; its own while it was not, or where that is 20,000 segments away
-- Answers {"status": "ok", "proven_by", "run", "instances", "list", "chain"}; proven_by is "run"; or
-- "older_than_runs", when the run is that of all such instances together; or "run_retired", when it is
-- gone, and the segment is one of its time. instances (hex) is null then.
-- Or {"status": "evidence_not_sealed"}; "head_not_reached", where the chain does not go there from its
-- segment, or that is 20,000 segments away; "evidence_inconsistent" with "findings", where there is no run.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_evidence_audit(
    p_instance_id uuid, p_log iu_core.iu_auto_instantiate_event_log, p_at timestamptz,
    p_head text)
RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_longest constant bigint := 20000;
    v_proven  text := 'run';
    v_run     iu_core.iu_command_record;
    v_segment iu_core.iu_audit_segment;
    v_until   bigint;
BEGIN
    IF p_log.batch_id IS NULL THEN
        v_proven := 'older_than_runs';
        SELECT d.* INTO v_run
          FROM iu_core.iu_command_record AS d
         WHERE d.subject_id = '00000000-0000-0000-0000-000000000000'
           AND d.command = 'migrate_database'
         ORDER BY d.last_at, d.record_id LIMIT 1;
    ELSE
        SELECT d.* INTO v_run
          FROM iu_core.iu_command_record AS d
         WHERE d.subject_id = p_log.batch_id AND d.actor = p_log.actor
           AND d.last_at = p_log.composed_at AND d.instances_digest IS NOT NULL
         ORDER BY d.record_id LIMIT 1;
    END IF;

    IF v_run.record_id IS NOT NULL THEN
        SELECT s.* INTO v_segment
          FROM iu_core.iu_audit_segment AS s
         WHERE s.first_at <= v_run.last_at AND s.last_at >= v_run.last_at
           AND strpos(s.sealed_runs, '  ' || v_run.record_id || E'\n') > 0
         ORDER BY s.segment_no LIMIT 1;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('status', 'evidence_not_sealed');
        END IF;
    ELSE
        v_proven := 'run_retired';
        SELECT s.* INTO v_segment
          FROM iu_core.iu_audit_segment AS s
         WHERE s.first_at <= p_at AND s.last_at >= p_at AND s.retired_at IS NOT NULL
           AND p_log.batch_id IS NOT NULL
         ORDER BY s.segment_no LIMIT 1;
        IF NOT FOUND THEN
            RETURN jsonb_build_object(
                'status', 'evidence_inconsistent',
                'findings', jsonb_build_array(jsonb_build_object(
                    'kind', 'instance_unrecorded', 'subject', 'instance ' || p_instance_id,
                    'expected', 'its run', 'actual', 'none')));
        END IF;
    END IF;

    SELECT max(s.segment_no) INTO v_until
      FROM iu_core.iu_audit_segment AS s
     WHERE s.segment_no >= v_segment.segment_no
       AND (s.segment_digest = p_head
            OR p_head IS NULL AND s.exported_by = v_segment.exported_by);
    IF v_until >= v_segment.segment_no + v_longest THEN
        v_until := NULL;
    END IF;
    IF v_until IS NULL AND p_head IS NOT NULL THEN
        RETURN jsonb_build_object('status', 'head_not_reached');
    END IF;

    RETURN jsonb_build_object(
        'status', 'ok', 'proven_by', v_proven,
        'run', CASE WHEN v_run.record_id IS NOT NULL THEN iu_core.fn_iu_run_text(v_run) END,
        'instances', CASE WHEN v_proven = 'run' THEN encode(iu_core.fn_iu_evidence_instances(
                              v_run.subject_id, v_run.actor, v_run.last_at), 'hex') END,
        'list', v_segment.sealed_runs,
        'chain', (SELECT string_agg(iu_core.fn_iu_audit_head(s), '' ORDER BY s.segment_no)
                    FROM iu_core.iu_audit_segment AS s
                   WHERE s.segment_no BETWEEN v_segment.segment_no
                                          AND coalesce(v_until, v_segment.segment_no)));
END
$$;
