-- grant: owner only
-- Removes the instances of these items of an operation, and records what became of each:
--   deleted
--   gone     somebody else has rolled it back since the plan; also where it was composed again,
--            for that is not what was planned
--   blocked  rollback_blocked, and why in the details
-- Locks the operation's fenced actors exclusively: nobody else rolls back their work meanwhile.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_roll_back(
    p_operation iu_core.iu_operation, p_ordinals integer[], p_seconds integer)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- A chunk's rows are looked up one by one. Left to itself PostgreSQL, while it knows nothing of tables
-- that have just been filled, goes through all items of an operation, and through whole tables.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    v_planned_at timestamptz := (p_operation.parameters ->> 'planned_at')::timestamptz;
    v_ids        uuid[];
    v_there      uuid[];
    v_left       uuid[];
    v_blocked    jsonb;
    v_blockers   jsonb := '[]';
    v_outcomes   text[];
    v_codes      text[];
    v_details    jsonb[];
BEGIN
    PERFORM iu_core.fn_iu_lock('actor', ARRAY(
        SELECT f.actor FROM iu_core.iu_actor_fence AS f
         WHERE f.operation_id = p_operation.operation_id), false);
    SELECT array_agg(i.instance_collection_id ORDER BY i.ordinal) INTO v_ids
      FROM iu_core.iu_operation_item AS i
     WHERE i.operation_id = p_operation.operation_id AND i.ordinal = ANY (p_ordinals)
       -- As in fn_iu_operation_instantiate.
       AND i.ordinal BETWEEN p_ordinals[1] AND p_ordinals[cardinality(p_ordinals)];
    SELECT coalesce(array_agg(l.instance_collection_id), '{}') INTO v_there
      FROM iu_core.iu_auto_instantiate_event_log AS l
     WHERE l.instance_collection_id = ANY (v_ids)
       AND NOT EXISTS (SELECT FROM iu_core.iu_instance_tombstone AS t
                        WHERE t.instance_collection_id = l.instance_collection_id
                          AND t.rolled_back_at >= least(v_planned_at, p_operation.created_at));

    -- All or none, so what stands in the way is left out, a hundred at a time, until all is removed.
    v_left := v_there;
    WHILE v_left <> '{}' LOOP
        v_blocked := iu_core.fn_iu_rollback_remove(
            v_left, p_operation.operation_id,
            (p_operation.parameters ->> 'release_keys')::boolean,
            (p_operation.parameters ->> 'acknowledge_delivered')::boolean,
            p_operation.reason, p_operation.actor, iu_core.fn_iu_fact_time());
        EXIT WHEN v_blocked IS NULL;
        v_blockers := v_blockers || (v_blocked -> 'blockers');
        v_left := ARRAY(
            SELECT c.id FROM unnest(v_left) AS c(id)
            EXCEPT SELECT b.instance_collection_id
                     FROM jsonb_to_recordset(v_blocked -> 'blockers') AS b(instance_collection_id uuid));
    END LOOP;

    SELECT array_agg(CASE WHEN i.id = ANY (v_left) THEN 'deleted'
                          WHEN i.id = ANY (v_there) THEN 'blocked' ELSE 'gone' END ORDER BY i.place),
           array_agg(CASE WHEN b.blockers IS NOT NULL THEN 'rollback_blocked' END ORDER BY i.place),
           array_agg(CASE WHEN b.blockers IS NOT NULL
                          THEN jsonb_build_object('blockers', b.blockers) END ORDER BY i.place)
      INTO v_outcomes, v_codes, v_details
      FROM unnest(v_ids) WITH ORDINALITY AS i(id, place)
      LEFT JOIN (SELECT e.blocker ->> 'instance_collection_id' AS id, jsonb_agg(e.blocker) AS blockers
                   FROM jsonb_array_elements(v_blockers) AS e(blocker) GROUP BY 1) AS b
             ON b.id = i.id::text;
    PERFORM iu_core.fn_iu_done(
        'work_on_operations',
        jsonb_build_object('status', 'ok', 'operation_id', p_operation.operation_id),
        p_operation.actor, p_operation.principal, p_operation.request_id, p_operation.operation_id,
        jsonb_build_object('deleted', cardinality(v_left),
                           'blocked', cardinality(v_there) - cardinality(v_left),
                           'gone', cardinality(v_ids) - cardinality(v_there)));
    RETURN iu_core.fn_iu_operation_record(
        p_operation, p_ordinals, v_outcomes, array_fill(NULL::uuid, ARRAY[cardinality(p_ordinals)]),
        v_codes, v_details, p_seconds);
END
$$;
