-- grant: owner only
-- Records the refused and the dry items, spends the uses of limited leases, and counts: the last
-- writes of a composing transaction.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_record(p_items iu_core.iu_compose_item[])
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
    v_modes      text[];
    v_counts     bigint[];
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
     WHERE r.would_be IS NOT NULL OR r.status NOT IN ('ok', 'idempotent_replay');
    IF v_outcomes IS NOT NULL THEN
        PERFORM iu_core.fn_iu_command_record_write(
            'instantiate_from_event', v_outcomes, v_codes, v_subjects, v_templates, v_actors,
            v_principals, v_requests, v_details);
    END IF;

    IF EXISTS (SELECT FROM unnest(p_items) AS i WHERE i.claimed AND cardinality(i.lease_ids) > 0) THEN
        PERFORM iu_core.fn_iu_lease_spend(p_items);
    END IF;

    SELECT array_agg(c.template_id), array_agg(c.emit_mode), array_agg(c.items)
      INTO v_templates, v_modes, v_counts
      FROM (SELECT i.template_id, i.emit_mode, count(*) AS items
              FROM unnest(p_items) AS i
             WHERE i.claimed
                OR (i.template_id IS NOT NULL
                    AND iu_core.fn_iu_compose_would_be(i.emit_mode, i.status) IS NOT NULL)
             GROUP BY i.template_id, i.emit_mode) AS c;
    IF v_templates IS NOT NULL THEN
        PERFORM iu_core.fn_iu_counter_add(
            v_templates, v_modes, v_counts, array_fill(0::bigint, ARRAY[cardinality(v_counts)]));
    END IF;
END
$$;
