-- grant: iu_app, iu_reader
-- What commands did, what was refused, and what was only tried. Refusals that are only counted, at a
-- closed gate above all, are one row per command, actor, principal, code, template and minute; occurrences
-- counts them, and last_at moves on with the last of them. segment_no is the segment of the audit chain whose
-- list names it; NULL: it is not sealed. (That costs reading the list, a hundred thousand characters, for each
-- row: select it for those that are shown, and not for those that are looked through.)
CREATE OR REPLACE VIEW iu_core.v_iu_command_record AS
SELECT d.record_id,
       d.subject_id,
       d.command,
       d.outcome::text,
       d.code,
       d.template_collection_id,
       r.template_key,
       d.actor,
       d.principal,
       d.request_id,
       d.first_at::timestamptz,
       d.last_at::timestamptz,
       d.occurrences::bigint,
       d.details,
       d.took_us,
       d.counts,
       d.lease_ids,
       d.instances_digest,
       (SELECT s.segment_no
          FROM iu_core.iu_audit_segment AS s
         WHERE (s.last_at, s.last_record_id) >= (d.last_at, d.record_id)
           AND s.first_at <= d.last_at
           AND position(d.record_id::text IN s.sealed_runs) > 0
         ORDER BY s.last_at, s.last_record_id
         LIMIT 1) AS segment_no
  FROM iu_core.iu_command_record AS d
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = d.template_collection_id;
