-- grant: owner only
-- Where an operation stands: {"status": "ok", "operation_id", "kind", "state", "total", a count per
-- outcome, "not_attempted", "revision"}, and halted_code and halted_details when it is halted.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_answer(p_operation_id uuid)
RETURNS jsonb
LANGUAGE sql VOLATILE
AS $$
    SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
               'status', 'ok', 'operation_id', o.operation_id, 'kind', o.kind, 'state', o.state,
               'total', o.total, 'composed', o.composed, 'replayed', o.replayed,
               'dry_runs', o.dry_runs, 'refused', o.refused, 'failed', o.failed,
               'deleted', o.deleted, 'gone', o.gone, 'blocked', o.blocked,
               'not_attempted', o.not_attempted, 'halted_code', o.halted_code,
               'halted_details', o.halted_details, 'revision', o.revision))
      FROM iu_core.iu_operation AS o
     WHERE o.operation_id = p_operation_id
$$;
