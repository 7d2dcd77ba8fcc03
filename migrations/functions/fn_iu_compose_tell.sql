-- grant: owner only
-- Writes the refused and the dry items to the command record, as of the command that they were part of;
-- not those that are still to be judged.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_tell(
    p_items iu_core.iu_compose_item[], p_command text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_outcomes   text[];
    v_codes      text[];
    v_subjects   uuid[];
    v_templates  uuid[];
    v_actors     text[];
    v_principals text[];
    v_requests   uuid[];
    v_details    jsonb[];
BEGIN
    SELECT array_agg(CASE WHEN r.would_be IS NULL THEN 'refused' ELSE 'dry_run' END),
           array_agg(CASE WHEN r.would_be IN ('composed', 'replayed') THEN r.would_be ELSE r.status END),
           array_agg(r.instance_id), array_agg(r.template_id), array_agg(r.actor),
           array_agg(r.principal), array_agg(r.request_id),
           array_agg(coalesce(r.details, '{}') || jsonb_build_object(
               'event_id', r.event_id, 'template', r.template_ref, 'suffix', r.suffix))
      INTO v_outcomes, v_codes, v_subjects, v_templates, v_actors, v_principals, v_requests, v_details
      FROM (SELECT i.*, iu_core.fn_iu_compose_would_be(i.emit_mode, i.status) AS would_be
              FROM unnest(p_items) AS i) AS r
     WHERE r.would_be IS NOT NULL OR r.status NOT IN ('ok', 'idempotent_replay', 'data_unjudged');
    PERFORM iu_core.fn_iu_command_record_write(
        p_command, v_outcomes, v_codes, v_subjects, v_templates, v_actors,
        v_principals, v_requests, v_details);
END
$$;
