-- grant: iu_app, iu_reader
-- The rollup per template and mode. live comes from the counters that composing keeps, so that it
-- costs the same however many instances there are (that they are what counting the event log gives
-- is for fn_iu_verify_integrity to say); dry_run from the record of what was only tried: composing,
-- and no other command. Matches and diverges are NULL there, because nothing came out of it;
-- templates that do not exist can be tried too.
CREATE OR REPLACE VIEW iu_core.v_iu_auto_instantiate_event_summary AS
SELECT s.template_collection_id,
       r.template_key,
       s.emit_mode,
       s.events,
       s.matches,
       s.events - s.matches AS diverges,
       s.first_at,
       s.last_at
  FROM (SELECT k.template_collection_id,
               'live'::text AS emit_mode,
               k.events,
               k.events - k.diverging AS matches,
               -- Two looks into the index for each template.
               (SELECT min(l.composed_at)
                  FROM iu_core.iu_collection_template_instance_lineage AS l
                 WHERE l.template_collection_id = k.template_collection_id) AS first_at,
               (SELECT max(l.composed_at)
                  FROM iu_core.iu_collection_template_instance_lineage AS l
                 WHERE l.template_collection_id = k.template_collection_id) AS last_at
          FROM (SELECT c.template_collection_id,
                       sum(c.instance_count)::bigint AS events,
                       sum(c.diverging_count)::bigint AS diverging
                  FROM iu_core.iu_template_counter AS c
                 WHERE c.emit_mode = 'live'
                 GROUP BY c.template_collection_id
                HAVING sum(c.instance_count) <> 0) AS k
        UNION ALL
        SELECT d.template_collection_id,
               -- Named, since a dump names what has no name, and the view would be another then.
               'dry_run' AS emit_mode,
               sum(d.occurrences)::bigint AS events,
               NULL AS matches,
               min(d.first_at) AS first_at,
               max(d.last_at) AS last_at
          FROM iu_core.iu_command_record AS d
         WHERE d.outcome = 'dry_run'
           AND d.command IN ('instantiate_from_event', 'instantiate_bulk', 'work_on_operations')
         GROUP BY d.template_collection_id) AS s
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = s.template_collection_id;
