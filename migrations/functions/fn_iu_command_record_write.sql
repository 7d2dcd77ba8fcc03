-- grant: owner only
-- The only writer of the command record: what was refused (p_outcome refused), only tried (dry_run),
-- or done without a row of its own that tells who asked for it (done, with the code ok). Arrays of one length; a NULL subject becomes a random one. Refusals at a closed gate
-- are counted in one row per actor, code, template and minute, so that a storm of them can't fill
-- the disk. Written in sorted order, and before the counters.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_command_record_write(
    p_command text, p_outcomes text[], p_codes text[], p_subject_ids uuid[], p_template_ids uuid[],
    p_actors text[], p_principals text[], p_request_ids uuid[], p_details jsonb[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now timestamptz := iu_core.fn_iu_fact_time();
BEGIN
    INSERT INTO iu_core.iu_command_record AS r
           (subject_id, record_id, template_collection_id, request_id, first_at, last_at,
            occurrences, command, outcome, code, actor, principal, details)
    SELECT s.minute_id, s.minute_id, s.template_id, NULL, v_now, v_now,
           count(*), p_command, 'refused', s.code, s.actor, max(s.principal), '{}'::jsonb
      FROM (SELECT i.*, md5(jsonb_build_array(
                       p_command, i.code, i.template_id, i.actor,
                       div(extract(epoch FROM v_now), 60))::text)::uuid AS minute_id
              FROM unnest(p_outcomes, p_codes, p_template_ids, p_actors, p_principals)
                   AS i(outcome, code, template_id, actor, principal)
             WHERE i.outcome = 'refused' AND i.code LIKE '%\_gate\_closed') AS s
     GROUP BY s.minute_id, s.template_id, s.code, s.actor
     ORDER BY s.minute_id
        ON CONFLICT (subject_id, record_id) DO UPDATE
       SET occurrences = r.occurrences + excluded.occurrences, last_at = excluded.last_at;

    INSERT INTO iu_core.iu_command_record
           (subject_id, template_collection_id, request_id, first_at, last_at,
            command, outcome, code, actor, principal, details)
    SELECT coalesce(i.subject_id, gen_random_uuid()), i.template_id, i.request_id, v_now, v_now,
           p_command, i.outcome, i.code, i.actor, i.principal, coalesce(i.details, '{}'::jsonb)
      FROM unnest(p_outcomes, p_codes, p_subject_ids, p_template_ids, p_actors, p_principals,
                  p_request_ids, p_details)
           AS i(outcome, code, subject_id, template_id, actor, principal, request_id, details)
     WHERE NOT (i.outcome = 'refused' AND i.code LIKE '%\_gate\_closed');
END
$$;
