-- grant: owner only
-- Seals the next thousand rows of the command record that are from before p_until, or what there is of
-- them, as the next segment; answers how many. It ends with the run by which it has a hundred thousand
-- instances, so that verifying a segment takes seconds. The caller holds the lock `audit`.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_seal_one(p_sealed_by text, p_until timestamptz)
RETURNS integer
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_chain   iu_core.iu_audit_chain;
    v_segment iu_core.iu_audit_segment;
BEGIN
    SELECT c.* INTO v_chain FROM iu_core.iu_audit_chain AS c;
    SELECT count(*), min(r.last_at), max(r.last_at),
           (array_agg(r.record_id ORDER BY r.last_at DESC, r.record_id DESC))[1],
           string_agg(iu_core.fn_iu_audit_line(r.record_id, r.run_text), ''
                      ORDER BY r.last_at, r.record_id)
      INTO v_segment.runs, v_segment.first_at, v_segment.last_at, v_segment.last_record_id,
           v_segment.sealed_runs
      FROM (SELECT d.last_at, d.record_id, iu_core.fn_iu_run_text(d) AS run_text,
                   sum(CASE jsonb_typeof(d.counts -> 'composed')
                           WHEN 'number' THEN (d.counts ->> 'composed')::numeric END)
                       OVER (ORDER BY d.last_at, d.record_id
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS composed_before
              FROM iu_core.fn_iu_audit_unsealed(
                       v_chain.last_at, v_chain.last_record_id, p_until, 1000) AS u
              JOIN iu_core.iu_command_record AS d
                ON d.subject_id = u.subject_id AND d.record_id = u.record_id) AS r
     WHERE r.composed_before IS NULL OR r.composed_before < 100000;
    IF v_segment.runs > 0 THEN
        v_segment.segment_no := v_chain.segment_no + 1;
        v_segment.sealed_at := iu_core.fn_iu_now();
        v_segment.sealed_by := p_sealed_by;
        v_segment.runs_digest := iu_core.fn_iu_sha256(v_segment.sealed_runs);
        v_segment.previous_digest := v_chain.segment_digest;
        v_segment.segment_digest := iu_core.fn_iu_sha256(iu_core.fn_iu_audit_head(v_segment));
        INSERT INTO iu_core.iu_audit_segment SELECT v_segment.*;
        UPDATE iu_core.iu_audit_chain AS c
           SET last_at = v_segment.last_at, last_record_id = v_segment.last_record_id,
               segment_no = v_segment.segment_no, segment_digest = v_segment.segment_digest;
    END IF;
    RETURN v_segment.runs;
END
$$;
