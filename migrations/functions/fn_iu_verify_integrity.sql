-- grant: iu_app
-- Looks at everything, and keeps the result for v_iu_integrity_check. Answers
--   {"status": "ok", checked_at, holds, counts: {kind: findings}, examined: {what: rows},
--    findings: [{kind, subject, expected, actual}], truncated}
-- counts are complete; findings are at most 100, of every kind some; truncated says that there are
-- more. holds: no fault was found; a template without a version is reported, and is no fault.
-- It costs a look at every row: give it the time of a bulk. All findings are of one moment, since
-- one statement gathers them. Takes no lock but the result's row, at the end.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_verify_integrity()
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now      timestamptz := iu_core.fn_iu_now();
    v_counts   jsonb;
    v_findings jsonb;
    v_examined jsonb;
    v_holds    boolean;
BEGIN
    WITH findings AS MATERIALIZED (
        SELECT g.*, row_number() OVER (PARTITION BY g.kind ORDER BY g.subject, g.expected) AS place
          FROM (SELECT * FROM iu_core.fn_iu_finding_pieces(NULL)
                UNION ALL SELECT * FROM iu_core.fn_iu_finding_compositions(NULL)
                UNION ALL SELECT * FROM iu_core.fn_iu_finding_templates()
                UNION ALL SELECT * FROM iu_core.fn_iu_finding_instances(NULL)
                UNION ALL SELECT * FROM iu_core.fn_iu_finding_counters()) AS g
    ), shown AS (
        SELECT f.kind, f.subject, f.expected, f.actual
          FROM findings AS f
         ORDER BY f.place, f.kind
         LIMIT 100
    )
    SELECT (SELECT jsonb_object_agg(c.kind, c.findings)
              FROM (SELECT f.kind, count(*) AS findings FROM findings AS f GROUP BY f.kind) AS c),
           (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.kind, s.subject, s.expected) FROM shown AS s),
           NOT EXISTS (SELECT FROM findings AS f WHERE f.kind <> 'template_without_version'),
           jsonb_build_object(
               'pieces', (SELECT count(*) FROM iu_core.information_unit),
               'compositions', (SELECT count(*) FROM iu_core.iu_composition),
               'templates', (SELECT count(*) FROM iu_core.iu_collection_template_registry),
               'instances', (SELECT count(*) FROM iu_core.iu_piece_collection AS c WHERE c.is_instance),
               'lineage', (SELECT count(*) FROM iu_core.iu_collection_template_instance_lineage),
               'event_log', (SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log))
      INTO v_counts, v_findings, v_holds, v_examined;
    v_counts := coalesce(v_counts, '{}'::jsonb);
    v_findings := coalesce(v_findings, '[]'::jsonb);

    INSERT INTO iu_core.iu_integrity_check AS k (checked_at, holds, counts, examined)
    VALUES (v_now, v_holds, v_counts, v_examined)
        ON CONFLICT (only_row) DO UPDATE
       SET checked_at = excluded.checked_at, holds = excluded.holds,
           counts = excluded.counts, examined = excluded.examined
     WHERE k.checked_at <= excluded.checked_at;

    RETURN jsonb_build_object(
        'status', 'ok', 'checked_at', v_now, 'holds', v_holds, 'counts', v_counts,
        'examined', v_examined, 'findings', v_findings,
        'truncated', jsonb_array_length(v_findings)
            < (SELECT coalesce(sum(c.value::bigint), 0) FROM jsonb_each_text(v_counts) AS c));
END
$$;
