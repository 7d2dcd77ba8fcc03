-- grant: owner only
-- Locks the operation's row until the transaction ends, and answers the row when it is running and
-- the runner's; else NULL. A claim whose time is over still counts as long as nobody else has made
-- another: the runner's id decides, the time only lets others in.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_hold(p_operation_id uuid, p_runner uuid)
RETURNS iu_core.iu_operation
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_operation iu_core.iu_operation;
BEGIN
    SELECT * INTO v_operation
      FROM iu_core.iu_operation AS o
     WHERE o.operation_id = p_operation_id AND o.state = 'running' AND o.runner_id = p_runner
       FOR NO KEY UPDATE;
    RETURN v_operation;
END
$$;
