-- grant: owner only
-- Writes down what became of the next items, arrays of one length in the order of the ordinals, and
-- moves the counts with them. An outcome of NULL leaves the item waiting, and the first of these
-- halts the operation with its code and details. With nothing left it is completed, and the fence of
-- a rollback lifted. The caller holds the operation (fn_iu_operation_hold); p_seconds prolongs the
-- runner's claim. Answers what fn_iu_operation_answer does, and how many items were "attempted".
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_record(
    p_operation iu_core.iu_operation, p_ordinals integer[], p_outcomes text[],
    p_instance_ids uuid[], p_codes text[], p_details jsonb[], p_seconds integer)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- A chunk's rows are looked up one by one. Left to itself PostgreSQL, while it knows nothing of tables
-- that have just been filled, goes through all items of an operation, and through whole tables.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    v_now       timestamptz := iu_core.fn_iu_now();
    v_attempted integer := cardinality(array_remove(p_outcomes, NULL));
    v_halted_at integer := array_position(p_outcomes, NULL);
    v_state     text := CASE WHEN v_halted_at IS NOT NULL THEN 'halted'
                             WHEN p_operation.not_attempted = v_attempted THEN 'completed'
                             ELSE 'running' END;
BEGIN
    UPDATE iu_core.iu_operation_item AS i
       SET outcome = a.outcome, code = a.code, details = a.details, attempted_at = v_now,
           instance_collection_id = coalesce(a.instance_id, i.instance_collection_id)
      FROM unnest(p_ordinals, p_outcomes, p_instance_ids, p_codes, p_details)
           AS a(ordinal, outcome, instance_id, code, details)
     WHERE i.operation_id = p_operation.operation_id
       AND i.ordinal = a.ordinal
       AND a.outcome IS NOT NULL;

    UPDATE iu_core.iu_operation AS o
       SET composed = o.composed + n.composed,
           replayed = o.replayed + n.replayed,
           dry_runs = o.dry_runs + n.dry_runs,
           refused = o.refused + n.refused,
           failed = o.failed + n.failed,
           deleted = o.deleted + n.deleted,
           gone = o.gone + n.gone,
           blocked = o.blocked + n.blocked,
           not_attempted = o.not_attempted - v_attempted,
           next_ordinal = coalesce(p_ordinals[v_halted_at],
                                   p_ordinals[cardinality(p_ordinals)] + 1, o.next_ordinal),
           state = v_state,
           halted_code = p_codes[v_halted_at],
           halted_details = p_details[v_halted_at],
           runner_id = CASE WHEN v_state = 'running' THEN o.runner_id END,
           runner_until = CASE WHEN v_state = 'running'
                               THEN v_now + make_interval(secs => p_seconds) END,
           finished_at = CASE WHEN v_state = 'completed' THEN v_now END,
           updated_at = v_now,
           revision = o.revision + 1
      FROM (SELECT count(*) FILTER (WHERE a.outcome = 'composed') AS composed,
                   count(*) FILTER (WHERE a.outcome = 'replayed') AS replayed,
                   count(*) FILTER (WHERE a.outcome = 'dry_run') AS dry_runs,
                   count(*) FILTER (WHERE a.outcome = 'refused') AS refused,
                   count(*) FILTER (WHERE a.outcome = 'failed') AS failed,
                   count(*) FILTER (WHERE a.outcome = 'deleted') AS deleted,
                   count(*) FILTER (WHERE a.outcome = 'gone') AS gone,
                   count(*) FILTER (WHERE a.outcome = 'blocked') AS blocked
              FROM unnest(p_outcomes) AS a(outcome)) AS n
     WHERE o.operation_id = p_operation.operation_id;

    IF v_state = 'completed' THEN
        PERFORM iu_core.fn_iu_operation_unfence(p_operation.operation_id);
    END IF;
    RETURN iu_core.fn_iu_operation_answer(p_operation.operation_id)
        || jsonb_build_object('attempted', v_attempted);
END
$$;
