-- grant: owner only
-- Records what became of events, each under the command that its channel stands for: one run for each
-- sender whose events were taken or known, with the request of the first of them, and each refused event.
--   p_leases  by actor, the leases that admitted it; NULL: none were needed
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_record(
    p_items iu_core.iu_event_item[], p_leases jsonb, p_sources text[], p_ids text[],
    p_types text[], p_channels text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_command text;
    v_sender  record;
BEGIN
    FOR v_command IN
        SELECT DISTINCT iu_core.fn_iu_event_command(c.channel) FROM unnest(p_channels) AS c(channel)
         ORDER BY 1
    LOOP
        FOR v_sender IN
            SELECT i.actor, i.principal, (array_agg(i.request_id ORDER BY i.ordinal))[1] AS request_id,
                   count(*) FILTER (WHERE i.status = 'accepted') AS accepted,
                   count(*) FILTER (WHERE i.status = 'known') AS known,
                   jsonb_agg(i.event_id ORDER BY i.ordinal) AS event_ids
              FROM unnest(p_items) AS i
             WHERE i.status IN ('accepted', 'known')
               AND iu_core.fn_iu_event_command(p_channels[i.ordinal]) = v_command
             GROUP BY i.actor, i.principal
             ORDER BY i.actor, i.principal
        LOOP
            PERFORM iu_core.fn_iu_done(
                v_command, jsonb_build_object('status', 'ok', 'lease_ids', p_leases -> v_sender.actor),
                v_sender.actor, v_sender.principal, v_sender.request_id, NULL,
                jsonb_build_object('accepted', v_sender.accepted, 'known', v_sender.known),
                jsonb_build_object('event_ids', v_sender.event_ids));
        END LOOP;
        PERFORM iu_core.fn_iu_command_record_write(
            v_command, array_agg('refused'::text), array_agg(r.status), array_agg(r.event_id),
            array_agg(NULL::uuid), array_agg(r.actor), array_agg(r.principal),
            array_agg(r.request_id),
            array_agg(coalesce(r.details, '{}') || jsonb_build_object(
                'source', p_sources[r.ordinal], 'id', p_ids[r.ordinal],
                'event_type', p_types[r.ordinal])))
           FROM unnest(p_items) AS r
          WHERE r.status NOT IN ('accepted', 'known')
            AND iu_core.fn_iu_event_command(p_channels[r.ordinal]) = v_command
         HAVING count(*) > 0;
    END LOOP;
END
$$;
