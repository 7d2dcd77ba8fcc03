-- grant: owner only
-- Decides the undecided events that are stored already: known, or event_conflict, which names the
-- attributes that differ. Either is told only to who may act as, or read, the actor that the event
-- came in as: actor_not_allowed. The service's own retry, told by the request id, is answered
-- accepted. The others stay undecided.
--   p_contents  what makes each the same event, by ordinal
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_judge(
    p_items iu_core.iu_event_item[], p_contents text[])
RETURNS iu_core.iu_event_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_open  uuid[];
    v_items iu_core.iu_event_item[];
BEGIN
    SELECT array_agg(i.event_id) INTO v_open FROM unnest(p_items) AS i WHERE i.status IS NULL;
    -- The usual answer, cheaply: all are new.
    IF NOT EXISTS (SELECT FROM iu_core.iu_event AS e WHERE e.event_id = ANY (v_open)) THEN
        RETURN p_items;
    END IF;
    WITH stored AS MATERIALIZED (
        SELECT e.event_id, e.request_id, e.actor, e.content_digest, e.content
          FROM iu_core.iu_event AS e
         WHERE e.event_id = ANY (v_open)
    ), verdicts AS (
        SELECT i.ordinal,
               CASE WHEN NOT iu_core.fn_iu_actor_matches(s.actor, i.allowed_actors)
                    THEN 'actor_not_allowed'
                    WHEN s.content_digest <> i.content_digest THEN 'event_conflict'
                    WHEN s.request_id = i.request_id THEN 'accepted'
                    ELSE 'known' END AS status,
               s.content
          FROM unnest(p_items) AS i
          JOIN stored AS s ON s.event_id = i.event_id
         WHERE i.status IS NULL
    )
    SELECT array_agg(
               CASE WHEN v.status IS NULL THEN i.item
                    ELSE iu_core.fn_iu_event_decide(i.item, v.status,
                        CASE WHEN v.status = 'event_conflict' THEN jsonb_build_object(
                            'event_id', (i.item).event_id,
                            'fields', iu_core.fn_iu_event_differences(
                                v.content, p_contents[(i.item).ordinal]::json)) END)
               END ORDER BY (i.item).ordinal)
      INTO v_items
      FROM (SELECT u AS item FROM unnest(p_items) AS u) AS i
      LEFT JOIN verdicts AS v ON v.ordinal = (i.item).ordinal;
    RETURN v_items;
END
$$;
