-- grant: iu_app
-- Gives up a claim, so that another runner need not wait for its end. Of somebody else's claim
-- nothing is changed.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_let_go(p_operation_id uuid, p_runner uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
BEGIN
    UPDATE iu_core.iu_operation AS o
       SET runner_id = NULL, runner_until = NULL
     WHERE o.operation_id = p_operation_id AND o.runner_id = p_runner;
END
$$;
