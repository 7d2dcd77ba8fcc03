-- grant: iu_app, iu_reader
-- Operations: how far each has come, and in which state. The counts add up to total. is_held says
-- whether a runner is at work on it; changed_by, change_reason: who cancelled, resumed or retried it
-- last, and why; NULL when nobody did.
CREATE OR REPLACE VIEW iu_core.v_iu_operation AS
SELECT o.operation_id,
       o.kind,
       o.state,
       o.principal,
       o.actor,
       o.request_id,
       o.reason,
       o.total,
       o.composed,
       o.replayed,
       o.dry_runs,
       o.refused,
       o.failed,
       o.deleted,
       o.gone,
       o.blocked,
       o.not_attempted,
       o.halted_code,
       o.halted_details,
       o.changed_by,
       o.change_reason,
       o.parameters,
       coalesce(o.runner_until > clock_timestamp() + t.set_ahead, false) AS is_held,
       o.created_at,
       o.updated_at,
       o.finished_at,
       o.revision
  FROM iu_core.iu_operation AS o
 CROSS JOIN iu_core.iu_clock AS t;
