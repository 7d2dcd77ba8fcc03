-- grant: owner only
-- Removes instances, all or none: cancels their unsent messages, leaves a tombstone and a message
-- for each, deletes log, lineage and collection, and takes them off the counters. Answers NULL, or
-- {"blockers": [...]} when something stands against it, and then nothing is changed.
-- The caller holds their actors' exclusive locks and has read the ids in a statement begun after.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_remove(
    p_ids uuid[], p_rollback_operation_id uuid, p_release_keys boolean,
    p_acknowledge_delivered boolean, p_reason text, p_rolled_back_by text, p_now timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_type      constant text := 'iu.template.instance_rolled_back';
    v_blockers  jsonb;
    v_templates uuid[];
    v_counts    bigint[];
    v_deleted   bigint;
    v_last      jsonb;
BEGIN
    BEGIN
        -- Deliveries before messages, and in order, as whoever ends an attempt takes them.
        PERFORM FROM iu_core.iu_route_delivery AS d
          WHERE d.subject_id = ANY (p_ids)
          ORDER BY d.subject_id, d.outbox_id, d.route_id
            FOR NO KEY UPDATE;
        -- Those on the wire, too: however they end, nothing follows from it.
        UPDATE iu_core.iu_route_delivery AS d
           SET state = 'cancelled', ended_at = p_now
          FROM iu_core.iu_collection_template_instance_lineage AS g
         WHERE d.subject_id = ANY (p_ids)
           AND g.instance_collection_id = d.subject_id
           AND d.created_at >= g.composed_at
           AND d.state = 'pending';
        UPDATE iu_core.event_outbox AS o
           SET cancelled_at = p_now
          FROM iu_core.iu_collection_template_instance_lineage AS g
         WHERE o.subject_id = ANY (p_ids)
           AND g.instance_collection_id = o.subject_id
           AND o.created_at >= g.composed_at
           AND o.delivered_at IS NULL
           AND o.cancelled_at IS NULL;
        -- Looked for only now: cancelling has waited for whoever was delivering one of them.
        v_blockers := iu_core.fn_iu_rollback_blockers(p_ids, p_acknowledge_delivered);
        IF v_blockers -> 'blockers' <> '[]'::jsonb THEN
            RAISE EXCEPTION USING ERRCODE = 'PF002', MESSAGE = 'undo the cancelling';
        END IF;
    EXCEPTION WHEN SQLSTATE 'PF002' THEN
        RETURN v_blockers;
    END;

    SELECT array_agg(s.template_collection_id), array_agg(-s.instances)
      INTO v_templates, v_counts
      FROM (SELECT g.template_collection_id, count(*) AS instances
              FROM iu_core.iu_collection_template_instance_lineage AS g
             WHERE g.instance_collection_id = ANY (p_ids)
             GROUP BY g.template_collection_id) AS s;

    INSERT INTO iu_core.iu_instance_tombstone
           (instance_collection_id, rollback_operation_id, event_id, reference_id,
            template_collection_id, operation_id, composed_at, rolled_back_at, released_at,
            event_type, suffix, actor, data_digest, composition_digest, rolled_back_by, reason,
            released_by, release_reason, batch_id)
    SELECT l.instance_collection_id, p_rollback_operation_id, l.event_id, l.reference_id,
           g.template_collection_id, l.operation_id, g.composed_at, p_now,
           CASE WHEN p_release_keys THEN p_now END,
           l.event_type, l.suffix, l.actor, l.data_digest, g.composition_digest, p_rolled_back_by,
           p_reason, CASE WHEN p_release_keys THEN p_rolled_back_by END,
           CASE WHEN p_release_keys THEN p_reason END, l.batch_id
      FROM iu_core.iu_auto_instantiate_event_log AS l
      JOIN iu_core.iu_collection_template_instance_lineage AS g
        ON g.instance_collection_id = l.instance_collection_id
     WHERE l.instance_collection_id = ANY (p_ids);

    v_last := iu_core.fn_iu_outbox_sequences(p_ids);
    INSERT INTO iu_core.event_outbox
           (subject_id, created_at, sequence, domain, event_type, payload)
    SELECT t.instance_collection_id, p_now,
           1 + coalesce((v_last ->> t.instance_collection_id::text)::integer, 0), 'iu', v_type,
           jsonb_build_object(
               'instance_collection_id', t.instance_collection_id,
               'template_collection_id', t.template_collection_id,
               'event_id', t.event_id,
               'event_type', t.event_type,
               'actor', t.actor,
               'composition_digest', t.composition_digest,
               'rollback_operation_id', t.rollback_operation_id,
               'rolled_back_by', t.rolled_back_by,
               'reason', t.reason)
      FROM iu_core.iu_instance_tombstone AS t
     WHERE t.instance_collection_id = ANY (p_ids)
       AND t.rollback_operation_id = p_rollback_operation_id;
    PERFORM iu_core.fn_iu_outbox_fan_out(p_ids, v_type, p_now);

    DELETE FROM iu_core.iu_auto_instantiate_event_log AS l
     WHERE l.instance_collection_id = ANY (p_ids);
    DELETE FROM iu_core.iu_collection_template_instance_lineage AS g
     WHERE g.instance_collection_id = ANY (p_ids);
    DELETE FROM iu_core.iu_piece_collection AS c
     WHERE c.collection_id = ANY (p_ids);
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    IF v_deleted <> cardinality(p_ids) THEN
        RAISE EXCEPTION USING ERRCODE = '40001',
            MESSAGE = 'instances went away while their actors were locked';
    END IF;

    PERFORM iu_core.fn_iu_counter_add(
        v_templates, array_fill('live'::text, ARRAY[cardinality(v_counts)]), v_counts,
        array_fill(0::bigint, ARRAY[cardinality(v_counts)]));
    RETURN NULL;
END
$$;
