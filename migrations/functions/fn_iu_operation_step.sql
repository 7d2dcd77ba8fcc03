-- grant: iu_app
-- Runs one chunk of an operation: at most p_limit of the items that wait, in order, in this
-- transaction, which should end with it. The runner must hold the operation (fn_iu_operation_claim);
-- its claim is prolonged to p_seconds from now. Answers where the operation stands then
-- (fn_iu_operation_answer) and how many items were "attempted"; or {"status": "not_yours"}, with
-- nothing done, when it is not running or somebody else's.
-- A chunk that raises leaves nothing: call with a smaller p_limit, down to 1, and then
-- fn_iu_operation_fail_item, unless the trouble is the database's and passes.
-- Locks: the operation's row, then what composing or rolling back locks.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_step(
    p_operation_id uuid, p_runner uuid, p_limit integer, p_seconds integer)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
-- A plan that was made while the tables were small would go through all items of an operation.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    v_operation iu_core.iu_operation := iu_core.fn_iu_operation_hold(p_operation_id, p_runner);
    v_ordinals  integer[];
BEGIN
    IF v_operation.operation_id IS NULL THEN
        RETURN jsonb_build_object('status', 'not_yours');
    END IF;
    v_ordinals := iu_core.fn_iu_operation_pending(v_operation, p_limit);
    IF v_ordinals = '{}' THEN
        RETURN iu_core.fn_iu_operation_record(v_operation, '{}', '{}', '{}', '{}', '{}', p_seconds);
    END IF;
    RETURN CASE v_operation.kind
        WHEN 'instantiate'
        THEN iu_core.fn_iu_operation_instantiate(v_operation, v_ordinals, p_seconds)
        WHEN 'rollback'
        THEN iu_core.fn_iu_operation_roll_back(v_operation, v_ordinals, p_seconds) END;
END
$$;
