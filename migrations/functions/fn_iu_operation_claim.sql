-- grant: iu_app
-- Takes one running operation that no runner holds, the oldest first, for p_seconds; NULL when there
-- is none. p_runner is the claim's own id: whoever claims it later has another, and chunks of this
-- one are refused from then on. p_seconds must be more than a chunk may take, for a claim waits
-- behind the chunk of a runner whose time is over.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_claim(p_runner uuid, p_seconds integer)
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now timestamptz := iu_core.fn_iu_now();
    v_id  uuid;
BEGIN
    LOOP
        SELECT o.operation_id INTO v_id
          FROM iu_core.iu_operation AS o
         WHERE o.state = 'running' AND (o.runner_until IS NULL OR o.runner_until <= v_now)
         ORDER BY o.created_at, o.operation_id
         LIMIT 1;
        IF v_id IS NULL THEN
            RETURN NULL;
        END IF;
        -- Compare and set: of two who saw it, the second finds it taken, and looks for another.
        UPDATE iu_core.iu_operation AS o
           SET runner_id = p_runner, runner_until = v_now + make_interval(secs => p_seconds)
         WHERE o.operation_id = v_id
           AND o.state = 'running' AND (o.runner_until IS NULL OR o.runner_until <= v_now);
        IF FOUND THEN
            RETURN v_id;
        END IF;
    END LOOP;
END
$$;
