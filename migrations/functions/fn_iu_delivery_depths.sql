-- grant: owner only
-- How deep the chains were that led to these messages, by the events that their instances were
-- composed from, as an object; events that did not come in as events are left out.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_depths(p_claimed iu_core.iu_claimed_delivery[])
RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_events uuid[];
BEGIN
    SELECT array_agg((o.payload ->> 'event_id')::uuid) INTO v_events
      FROM unnest(p_claimed) AS c
      JOIN iu_core.event_outbox AS o ON o.subject_id = c.subject_id AND o.outbox_id = c.outbox_id;
    RETURN (SELECT coalesce(jsonb_object_agg(e.event_id, e.depth), '{}')
              FROM iu_core.iu_event AS e
             WHERE e.event_id = ANY (v_events));
END
$$;
