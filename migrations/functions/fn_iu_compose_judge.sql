-- grant: owner only
-- Decides the undecided items whose key is known: to the event log (the original again), or to a
-- tombstone that was not released (rolled back); where what makes two requests the same differs, it
-- is a conflict that names the fields. The others stay undecided. Either is shown only to who may
-- act as, or read, the original's actor: actor_not_allowed, which does not say whose it is. The service's own retry, told by the request id, is
-- answered ok and not replay.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_judge(p_items iu_core.iu_compose_item[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_open  uuid[];
    v_items iu_core.iu_compose_item[];
BEGIN
    SELECT array_agg(i.instance_id) INTO v_open
      FROM unnest(p_items) AS i
     WHERE i.status IS NULL AND i.instance_id IS NOT NULL;

    -- The usual answer, cheaply: nothing of this is known. A claim is looked for where the next one
    -- will be made, for that page is read anyway.
    IF NOT EXISTS (SELECT FROM iu_core.iu_piece_collection AS c
                    WHERE c.collection_id = ANY (v_open))
       AND NOT EXISTS (SELECT FROM iu_core.iu_instance_tombstone AS t
                        WHERE t.instance_collection_id = ANY (v_open) AND t.released_at IS NULL) THEN
        RETURN p_items;
    END IF;

    WITH known AS MATERIALIZED (
        SELECT l.instance_collection_id AS id, l.actor, l.request_id, l.event_id, l.reference_id,
               l.suffix, l.event_type, l.data_digest, NULL::jsonb AS burial
          FROM iu_core.iu_auto_instantiate_event_log AS l
         WHERE l.instance_collection_id = ANY (v_open)
         UNION ALL
        (SELECT DISTINCT ON (t.instance_collection_id)
                t.instance_collection_id, t.actor, NULL, t.event_id, t.reference_id,
                t.suffix, t.event_type, t.data_digest,
                jsonb_build_object('rolled_back_at', t.rolled_back_at,
                                   'rolled_back_by', t.rolled_back_by, 'reason', t.reason,
                                   'operation_id', t.rollback_operation_id)
           FROM iu_core.iu_instance_tombstone AS t
          WHERE t.instance_collection_id = ANY (v_open) AND t.released_at IS NULL
            AND NOT EXISTS (SELECT FROM iu_core.iu_auto_instantiate_event_log AS l
                             WHERE l.instance_collection_id = t.instance_collection_id)
          ORDER BY t.instance_collection_id, t.rolled_back_at DESC)
    ), verdicts AS (
        SELECT i.ordinal, s.status,
               CASE s.status
                    WHEN 'rolled_back' THEN k.burial
                    WHEN 'idempotency_conflict' THEN jsonb_build_object(
                        'instance_collection_id', k.id,
                        'idempotency_key', replace(k.id::text, '-', ''),
                        'fields', d.fields) END AS details
          FROM unnest(p_items) AS i
          JOIN known AS k ON k.id = i.instance_id
         CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
                   CASE WHEN k.event_id <> i.event_id THEN 'event_id' END,
                   CASE WHEN k.reference_id <> i.reference_id THEN 'template' END,
                   CASE WHEN k.suffix <> i.suffix THEN 'suffix' END,
                   CASE WHEN k.event_type <> i.event_type THEN 'event_type' END,
                   CASE WHEN k.data_digest <> i.data_digest THEN 'data' END], NULL)) AS d(fields)
         CROSS JOIN LATERAL (SELECT CASE
                   WHEN NOT iu_core.fn_iu_actor_matches(k.actor, i.allowed_actors)
                   THEN 'actor_not_allowed'
                   WHEN d.fields <> '{}' THEN 'idempotency_conflict'
                   WHEN k.burial IS NOT NULL THEN 'rolled_back'
                   WHEN k.request_id = i.request_id AND i.emit_mode = 'live' THEN 'ok'
                   ELSE 'idempotent_replay' END) AS s(status)
         WHERE i.status IS NULL
    )
    SELECT array_agg(
               CASE WHEN v.status IS NULL THEN i.item
                    ELSE iu_core.fn_iu_compose_decide(i.item, v.status, v.details)
               END ORDER BY (i.item).ordinal)
      INTO v_items
      FROM (SELECT u AS item FROM unnest(p_items) AS u) AS i
      LEFT JOIN verdicts AS v ON v.ordinal = (i.item).ordinal;
    RETURN v_items;
END
$$;
