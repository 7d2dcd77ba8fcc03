-- grant: owner only
-- Stores the undecided events, in the order of their ids, and says of each whether it is the one
-- that was stored. Of the same event twice the lower ordinal is; the other, and what somebody else
-- has stored meanwhile, is judged in a later statement. What neither is stored nor can be seen was
-- rolled back by somebody else, and is tried again, 3 times.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_claim(
    p_items iu_core.iu_event_item[], p_rules_revision bigint, p_sources text[], p_ids text[],
    p_types text[], p_inert boolean[], p_depths integer[], p_channels text[], p_contents text[],
    p_travelled text[], p_not_matched text[], p_now timestamptz)
RETURNS iu_core.iu_event_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_items iu_core.iu_event_item[] := p_items;
BEGIN
    FOR v_attempt IN 1..3 LOOP
        WITH claims AS (
            INSERT INTO iu_core.iu_event
                   (event_id, request_id, received_at, rules_revision, depth, source, cloudevent_id,
                    event_type, is_inert, channel, actor, principal, content_digest, content,
                    travelled, not_matched)
            SELECT i.event_id, i.request_id, p_now, p_rules_revision, p_depths[i.ordinal],
                   p_sources[i.ordinal], p_ids[i.ordinal], p_types[i.ordinal], p_inert[i.ordinal],
                   p_channels[i.ordinal], i.actor, i.principal, i.content_digest,
                   p_contents[i.ordinal]::json, p_travelled[i.ordinal]::json,
                   p_not_matched[i.ordinal]::json
              FROM (SELECT DISTINCT ON (u.event_id) u.*
                      FROM unnest(v_items) AS u
                     WHERE u.status IS NULL
                     ORDER BY u.event_id, u.ordinal) AS i
             ORDER BY i.event_id
                ON CONFLICT DO NOTHING
            RETURNING event_id)
        SELECT array_agg(CASE WHEN i.won THEN iu_core.fn_iu_event_won(i.item) ELSE i.item END
                         ORDER BY (i.item).ordinal)
          INTO v_items
          FROM (SELECT u AS item,
                       c.event_id IS NOT NULL AND row_number() OVER (
                           PARTITION BY u.event_id, u.status ORDER BY u.ordinal) = 1 AS won
                  FROM unnest(v_items) AS u
                  LEFT JOIN claims AS c ON c.event_id = u.event_id AND u.status IS NULL) AS i;
        EXIT WHEN NOT EXISTS (SELECT FROM unnest(v_items) AS i WHERE i.status IS NULL);
        v_items := iu_core.fn_iu_event_judge(v_items, p_contents);
        EXIT WHEN NOT EXISTS (SELECT FROM unnest(v_items) AS i WHERE i.status IS NULL);
    END LOOP;
    IF EXISTS (SELECT FROM unnest(v_items) AS i WHERE i.status IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = '40001',
            MESSAGE = 'an event was stored and undone three times while it was being stored';
    END IF;
    RETURN v_items;
END
$$;
