-- grant: iu_app
-- Keeps what judging the data of some items of an operation came to, for fn_iu_operation_step, which
-- asked for it with data_unjudged. Arrays of one length:
--   p_ordinals        ascending
--   p_schema_digests  by which schema each was judged
--   p_data_errors     what was wrong, {"errors": [...]} in JSON; NULL: nothing
-- The runner's claim is prolonged to p_seconds from now. Where the operation is not running or somebody
-- else's nothing is written: the next step says so.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_judge(
    p_operation_id uuid, p_runner uuid, p_ordinals integer[], p_schema_digests text[],
    p_data_errors text[], p_seconds integer)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
SET plan_cache_mode = force_custom_plan
-- As in fn_iu_operation_record.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    v_operation iu_core.iu_operation := iu_core.fn_iu_operation_hold(p_operation_id, p_runner);
BEGIN
    IF v_operation.operation_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE iu_core.iu_operation_item AS i
       SET schema_digest = j.schema_digest, data_errors = j.data_errors::json
      FROM unnest(p_ordinals, p_schema_digests, p_data_errors)
           AS j(ordinal, schema_digest, data_errors)
     WHERE i.operation_id = p_operation_id AND i.ordinal = j.ordinal;
    UPDATE iu_core.iu_operation AS o
       SET runner_until = iu_core.fn_iu_now() + make_interval(secs => p_seconds)
     WHERE o.operation_id = p_operation_id;
END
$$;
