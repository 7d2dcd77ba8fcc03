-- grant: iu_app, iu_reader
-- What commands did, what was refused, and what was only tried. Refusals that are only counted, at a
-- closed gate above all, are one row per command, actor, principal, code, template and minute; occurrences
-- counts them, and last_at moves on with the last of them. segment_no is the segment of the audit chain that
-- has sealed it; NULL: it is not sealed yet. (Where the clock was set back, segments lie beside each other: of
-- a row in two of them the one that ends first is named.)
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
       d.details,
       d.took_us,
       d.counts,
       d.lease_ids,
       d.instances_digest,
       (SELECT s.segment_no
          FROM iu_core.iu_audit_segment AS s
         WHERE (s.last_at, s.last_record_id) >= (d.last_at, d.record_id)
           AND s.first_at <= d.last_at
         ORDER BY s.last_at, s.last_record_id
         LIMIT 1) AS segment_no
  FROM iu_core.iu_command_record AS d
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = d.template_collection_id;
