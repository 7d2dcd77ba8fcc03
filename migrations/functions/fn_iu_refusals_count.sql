-- grant: owner only
-- Counts refusals in one row per command, actor, principal, code, template and minute, so that a
-- storm of them can't fill the disk: the row is sealed when its minute is over. Arrays of one length.
-- Written in sorted order.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_refusals_count(
    p_command text, p_codes text[], p_template_ids uuid[], p_actors text[], p_principals text[])
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
           count(*), p_command, 'refused', s.code, s.actor, s.principal, '{}'::jsonb
      FROM (SELECT i.*, md5(jsonb_build_array(
                       p_command, i.code, i.template_id, i.actor, i.principal,
                       div(extract(epoch FROM v_now), 60))::text)::uuid AS minute_id
              FROM unnest(p_codes, p_template_ids, p_actors, p_principals)
                   AS i(code, template_id, actor, principal)) AS s
     GROUP BY s.minute_id, s.template_id, s.code, s.actor, s.principal
     ORDER BY s.minute_id
        ON CONFLICT (subject_id, record_id) DO UPDATE
       SET occurrences = r.occurrences + excluded.occurrences, last_at = excluded.last_at;
END
$$;
