-- grant: iu_app, iu_reader
-- What was refused, what was only tried, and what was sent again. Refusals at a closed gate are one row per actor, code,
-- template and minute; occurrences counts them, and last_at moves on with the last of them.
CREATE OR REPLACE VIEW iu_core.v_iu_command_record AS
SELECT d.record_id,
       d.subject_id,
       d.command,
       d.outcome,
       d.code,
       d.template_collection_id,
       r.template_key,
       d.actor,
       d.principal,
       d.request_id,
       d.first_at,
       d.last_at,
       d.occurrences,
       d.details
  FROM iu_core.iu_command_record AS d
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = d.template_collection_id;
