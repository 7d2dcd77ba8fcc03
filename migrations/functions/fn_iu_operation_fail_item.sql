-- grant: iu_app
-- Gives up the first item that waits: it failed, with a code and details for people. For what raised
-- when it was alone in its chunk, and is no temporary trouble. Answers as fn_iu_operation_step does.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_fail_item(
    p_operation_id uuid, p_runner uuid, p_code text, p_details jsonb, p_seconds integer)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_operation iu_core.iu_operation := iu_core.fn_iu_operation_hold(p_operation_id, p_runner);
    v_ordinals  integer[];
BEGIN
    IF v_operation.operation_id IS NULL THEN
        RETURN jsonb_build_object('status', 'not_yours');
    END IF;
    v_ordinals := iu_core.fn_iu_operation_pending(v_operation, 1);
    PERFORM iu_core.fn_iu_done(
        'work_on_operations', jsonb_build_object(
            'status', 'ok', 'operation_id', p_operation_id, 'ordinals', v_ordinals,
            'item_code', p_code),
        v_operation.actor, v_operation.principal, v_operation.request_id, p_operation_id,
        jsonb_build_object('failed', cardinality(v_ordinals)));
    RETURN iu_core.fn_iu_operation_record(
        v_operation, v_ordinals, array_fill('failed'::text, ARRAY[cardinality(v_ordinals)]),
        array_fill(NULL::uuid, ARRAY[cardinality(v_ordinals)]),
        array_fill(p_code, ARRAY[cardinality(v_ordinals)]),
        array_fill(p_details, ARRAY[cardinality(v_ordinals)]), p_seconds);
END
$$;
