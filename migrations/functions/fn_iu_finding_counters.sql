-- grant: owner only
-- Where the counters, from which cross-template observability answers, are not what counting the
-- rows gives: per template and mode, instances and (where there are instances) diverging ones.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_finding_counters()
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT 'counter_mismatch',
           'template ' || coalesce(r.template_key, s.template_collection_id::text)
               || ' ' || s.emit_mode || ' ' || f.what,
           f.counted::text, f.kept::text
      FROM (SELECT coalesce(n.template_collection_id, k.template_collection_id) AS template_collection_id,
                   coalesce(n.emit_mode, k.emit_mode) AS emit_mode,
                   coalesce(n.instances, 0) AS instances, coalesce(n.diverging, 0) AS diverging,
                   coalesce(k.instances, 0) AS kept_instances,
                   coalesce(k.diverging, 0) AS kept_diverging
              FROM (SELECT l.template_collection_id, coalesce(e.emit_mode, 'none') AS emit_mode,
                           count(*) AS instances,
                           count(*) FILTER (WHERE c.composition_digest
                               IS DISTINCT FROM t.composition_digest) AS diverging
                      FROM iu_core.iu_collection_template_instance_lineage AS l
                      JOIN iu_core.iu_piece_collection AS c
                        ON c.collection_id = l.instance_collection_id
                      LEFT JOIN iu_core.iu_auto_instantiate_event_log AS e
                             ON e.instance_collection_id = l.instance_collection_id
                      LEFT JOIN iu_core.iu_collection_template_registry AS t
                             ON t.template_collection_id = l.template_collection_id
                     GROUP BY l.template_collection_id, coalesce(e.emit_mode, 'none')
                    UNION ALL
                    SELECT d.template_collection_id, 'dry_run', sum(d.occurrences), 0
                      FROM iu_core.iu_command_record AS d
                     WHERE d.outcome = 'dry_run' AND d.template_collection_id IS NOT NULL
                     GROUP BY d.template_collection_id) AS n
              FULL JOIN (SELECT m.template_collection_id, m.emit_mode,
                                sum(m.instance_count) AS instances,
                                sum(m.diverging_count) AS diverging
                           FROM iu_core.iu_template_counter AS m
                          GROUP BY m.template_collection_id, m.emit_mode) AS k
                ON k.template_collection_id = n.template_collection_id
               AND k.emit_mode = n.emit_mode) AS s
      LEFT JOIN iu_core.iu_collection_template_registry AS r
             ON r.template_collection_id = s.template_collection_id
     CROSS JOIN LATERAL (VALUES
               ('instances', s.instances, s.kept_instances),
               ('diverging', s.diverging, s.kept_diverging)
           ) AS f(what, counted, kept)
     WHERE f.counted <> f.kept
$$;
