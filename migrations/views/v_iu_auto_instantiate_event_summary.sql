-- grant: iu_app, iu_reader
-- The rollup per template and mode. live is counted from the event log, dry_run from the record of
-- what was only tried: composing, and no other command. Matches, diverges and actors are NULL
-- there, because nothing came out of it; templates that do not exist can be tried too. It counts
-- rows: for figures that must not cost more with more instances there is
-- v_iu_template_observability.
CREATE OR REPLACE VIEW iu_core.v_iu_auto_instantiate_event_summary AS
SELECT s.template_collection_id,
       r.template_key,
       s.emit_mode,
       s.events,
       s.matches,
       s.events - s.matches AS diverges,
       s.actors,
       s.first_at,
       s.last_at
  FROM (SELECT e.template_collection_id,
               e.emit_mode,
               count(*) AS events,
               count(*) FILTER (WHERE c.composition_digest = t.composition_digest) AS matches,
               count(DISTINCT e.actor) AS actors,
               min(e.composed_at) AS first_at,
               max(e.composed_at) AS last_at
          FROM iu_core.iu_auto_instantiate_event_log AS e
          JOIN iu_core.iu_piece_collection AS c
            ON c.collection_id = e.instance_collection_id
          LEFT JOIN iu_core.iu_collection_template_registry AS t
                 ON t.template_collection_id = e.template_collection_id
         GROUP BY e.template_collection_id, e.emit_mode
        UNION ALL
        SELECT d.template_collection_id,
               'dry_run',
               sum(d.occurrences)::bigint,
               NULL,
               NULL,
               min(d.first_at),
               max(d.last_at)
          FROM iu_core.iu_command_record AS d
         WHERE d.outcome = 'dry_run'
           AND d.command = 'instantiate_from_event'
         GROUP BY d.template_collection_id) AS s
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = s.template_collection_id;
