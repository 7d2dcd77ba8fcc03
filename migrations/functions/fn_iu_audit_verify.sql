-- grant: iu_app
-- Looks whether the command record is what was sealed, and the instances what it says: one portion of
-- the chain, the p_segments segments behind p_after (0: from the beginning), fewer where they take more than
-- ten seconds. Call it again with the "after" that it answers, until that is null.
--   p_head  the digest of a head that was exported, and must still be in the chain; NULL: none
-- Answers {"status": "ok", "after", "segments", "retired", "runs", "findings": [{"kind", "subject",
-- "expected", "actual"}], "about_chain", "truncated"}: at most 100 findings, of fn_iu_audit_finding_...: first
-- those about the chain itself, of which about_chain says how many, for they tell what the others are worth;
-- truncated: there were more. Of retired segments, whose rows may be gone, the heads are looked at, that a run has
-- retired them, and what there still is of their rows; not their instances. The last portion also looks at the chain as a whole, and at what is not sealed yet:
--   "unsealed" {"runs", "since", "more"}   of the oldest 10,000 rows; more: there are more
--   "segment_no", "segment_digest", "sealed_until"   where the chain ends; null: nothing is sealed
-- Waits for nobody, and changes nothing.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_verify(
    p_after bigint, p_segments integer, p_head text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
-- A plan that was made while the tables were small would go through all of them for each segment, or join
-- each of its rows with each. But making one takes 2 ms, and a quiet factory seals a segment a minute: those of
-- few runs are looked at by one plan that is kept, and goes through no whole table.
SET plan_cache_mode = force_custom_plan
SET enable_seqscan = on
AS $$
DECLARE
    v_until    constant timestamptz := clock_timestamp() + interval '10 seconds';
    v_segment  iu_core.iu_audit_segment;
    v_after    bigint := p_after;
    v_segments bigint := 0;
    v_retired  bigint := 0;
    v_runs     bigint := 0;
    v_few      boolean;
    v_found    jsonb;
    v_chain    jsonb := '[]';
    v_findings jsonb := '[]';
    v_answer   jsonb := '{}';
BEGIN
    LOOP
        SELECT s.* INTO v_segment FROM iu_core.iu_audit_segment AS s
         WHERE s.segment_no > v_after ORDER BY s.segment_no LIMIT 1;
        EXIT WHEN NOT FOUND OR v_segments = p_segments
               OR v_segments > 0 AND clock_timestamp() > v_until;
        v_after := v_segment.segment_no;
        v_segments := v_segments + 1;
        IF v_few IS DISTINCT FROM (v_segment.runs <= 100) THEN
            v_few := v_segment.runs <= 100;
            PERFORM set_config('plan_cache_mode',
                               CASE WHEN v_few THEN 'force_generic_plan' ELSE 'force_custom_plan' END, true),
                    set_config('enable_seqscan', (NOT v_few)::text, true);
        END IF;
        IF v_segment.retired_at IS NULL THEN
            v_runs := v_runs + v_segment.runs;
        ELSE
            v_retired := v_retired + 1;
        END IF;
        SELECT jsonb_agg(to_jsonb(f)) INTO v_found
          FROM iu_core.fn_iu_audit_finding_segment(v_after) AS f;
        v_chain := v_chain || coalesce(v_found, '[]');
        SELECT jsonb_agg(to_jsonb(f)) INTO v_found
          FROM (SELECT * FROM iu_core.fn_iu_audit_finding_runs(v_after)
                UNION ALL
                -- Whether it is retired is asked by the statement that looks for its runs: a cleanup
                -- may have ended since the segment was read.
                SELECT i.* FROM iu_core.fn_iu_audit_finding_instances(
                                    iu_core.fn_iu_audit_after(v_segment), v_segment.last_at) AS i
                 WHERE EXISTS (SELECT FROM iu_core.iu_audit_segment AS s
                                WHERE s.segment_no = v_after AND s.retired_at IS NULL)
                LIMIT 101) AS f;
        v_findings := v_findings || coalesce(v_found, '[]');
        EXIT WHEN jsonb_array_length(v_chain || v_findings) > 100;
    END LOOP;
    IF v_segment.segment_no IS NULL THEN
        PERFORM set_config('plan_cache_mode', 'force_custom_plan', true),
                set_config('enable_seqscan', 'on', true);
        v_after := NULL;
        v_answer := iu_core.fn_iu_audit_end();
        SELECT jsonb_agg(to_jsonb(f)) INTO v_found
          FROM (SELECT * FROM iu_core.fn_iu_audit_finding_chain(p_head) LIMIT 101) AS f;
        v_chain := coalesce(v_found, '[]') || v_chain;
        SELECT jsonb_agg(to_jsonb(f)) INTO v_found
          FROM (SELECT * FROM iu_core.fn_iu_audit_finding_older()
                UNION ALL
                SELECT * FROM iu_core.fn_iu_audit_finding_tombstones()
                UNION ALL
                SELECT * FROM iu_core.fn_iu_audit_finding_instances(
                                  (v_answer ->> 'looked_from')::timestamptz,
                                  (v_answer ->> 'looked_until')::timestamptz)
                LIMIT 101) AS f;
        v_findings := v_findings || coalesce(v_found, '[]');
    END IF;
    RETURN v_answer - ARRAY['looked_from', 'looked_until'] || jsonb_build_object(
        'status', 'ok', 'after', v_after, 'segments', v_segments, 'retired', v_retired,
        'runs', v_runs, 'about_chain', least(jsonb_array_length(v_chain), 100),
        'findings', jsonb_path_query_array(v_chain || v_findings, '$[0 to 99]'),
        'truncated', jsonb_array_length(v_chain || v_findings) > 100);
END
$$;
