-- grant: owner only
-- Writes the refused events to the command record, each under the command that its channel stands for.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_record(
    p_items iu_core.iu_event_item[], p_sources text[], p_ids text[], p_types text[],
    p_channels text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_refused iu_core.iu_event_item[] := ARRAY(
        SELECT i FROM unnest(p_items) AS i WHERE i.status NOT IN ('accepted', 'known'));
BEGIN
    IF v_refused <> '{}' THEN
        PERFORM iu_core.fn_iu_command_record_write(
            r.command, array_agg('refused'::text), array_agg(r.status), array_agg(r.event_id),
            array_agg(NULL::uuid), array_agg(r.actor), array_agg(r.principal),
            array_agg(r.request_id),
            array_agg(coalesce(r.details, '{}') || jsonb_build_object(
                'source', p_sources[r.ordinal], 'id', p_ids[r.ordinal],
                'event_type', p_types[r.ordinal])))
          FROM (SELECT i.*,
                       CASE WHEN p_channels[i.ordinal] = 'http' THEN 'post_events'
                            WHEN p_channels[i.ordinal] LIKE 'event-source:%' THEN 'receive_webhook'
                            ELSE 'consume_events' END AS command
                  FROM unnest(v_refused) AS i) AS r
         GROUP BY r.command
         ORDER BY r.command;
    END IF;
END
$$;
