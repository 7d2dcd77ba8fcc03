-- grant: owner only
-- What one rollback did, told from the tombstones that it left; each of them stands for one
-- collection, one lineage and one log row. NULL when it left none.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_result(p_rollback_operation_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_ids    uuid[];
    v_at     timestamptz;
    v_freed  bigint;
BEGIN
    SELECT array_agg(t.instance_collection_id), max(t.rolled_back_at),
           count(*) FILTER (WHERE t.released_at = t.rolled_back_at)
      INTO v_ids, v_at, v_freed
      FROM iu_core.iu_instance_tombstone AS t
     WHERE t.rollback_operation_id = p_rollback_operation_id;
    IF v_ids IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object(
        'deleted', cardinality(v_ids), 'lineage_rows', cardinality(v_ids),
        'log_rows', cardinality(v_ids), 'keys_released', v_freed,
        'messages_cancelled', (SELECT count(*) FROM iu_core.event_outbox AS o
                                WHERE o.subject_id = ANY (v_ids) AND o.cancelled_at = v_at),
        'rollback_operation_id', p_rollback_operation_id, 'rolled_back_at', v_at);
END
$$;
