-- grant: owner only
-- Writes to the command record what was refused (p_outcome refused) or only tried (dry_run); what was
-- done fn_iu_done and fn_iu_compose_run write. Arrays of one length; a NULL subject becomes a random one.
-- Refusals at a closed gate are only counted (fn_iu_refusals_count). Written before the counters.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_command_record_write(
    p_command text, p_outcomes text[], p_codes text[], p_subject_ids uuid[], p_template_ids uuid[],
    p_actors text[], p_principals text[], p_request_ids uuid[], p_details jsonb[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now timestamptz := iu_core.fn_iu_fact_time();
BEGIN
    PERFORM iu_core.fn_iu_refusals_count(
        p_command, array_agg(i.code), array_agg(i.template_id), array_agg(i.actor),
        array_agg(i.principal))
       FROM unnest(p_outcomes, p_codes, p_template_ids, p_actors, p_principals)
            AS i(outcome, code, template_id, actor, principal)
      WHERE i.outcome = 'refused' AND i.code LIKE '%\_gate\_closed'
     HAVING count(*) > 0;

    INSERT INTO iu_core.iu_command_record
           (subject_id, template_collection_id, request_id, first_at, last_at,
            command, outcome, code, actor, principal, details, took_us)
    SELECT coalesce(i.subject_id, gen_random_uuid()), i.template_id, i.request_id, v_now, v_now,
           p_command, i.outcome, i.code, i.actor, i.principal, coalesce(i.details, '{}'::jsonb),
           iu_core.fn_iu_took_us()
      FROM unnest(p_outcomes, p_codes, p_subject_ids, p_template_ids, p_actors, p_principals,
                  p_request_ids, p_details)
           AS i(outcome, code, subject_id, template_id, actor, principal, request_id, details)
     WHERE NOT (i.outcome = 'refused' AND i.code LIKE '%\_gate\_closed');
END
$$;
