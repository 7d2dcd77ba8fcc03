-- grant: owner only
-- Writes the refused events to the command record.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_record(
    p_items iu_core.iu_event_item[], p_sources text[], p_ids text[], p_types text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_refused iu_core.iu_event_item[] := ARRAY(
        SELECT i FROM unnest(p_items) AS i WHERE i.status NOT IN ('accepted', 'known'));
BEGIN
    IF v_refused <> '{}' THEN
        PERFORM iu_core.fn_iu_command_record_write(
            'take_event', array_agg('refused'::text), array_agg(i.status), array_agg(i.event_id),
            array_agg(NULL::uuid), array_agg(i.actor), array_agg(i.principal),
            array_agg(i.request_id),
            array_agg(coalesce(i.details, '{}') || jsonb_build_object(
                'source', p_sources[i.ordinal], 'id', p_ids[i.ordinal],
                'event_type', p_types[i.ordinal])))
          FROM unnest(v_refused) AS i;
    END IF;
END
$$;
