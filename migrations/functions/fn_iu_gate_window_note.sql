-- grant: owner only
-- Notes in the gates' history that a call ran under its own window. The window itself is no row:
-- it is open to this transaction alone and gone at its COMMIT.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_window_note(
    p_items iu_core.iu_compose_item[], p_reasons text[], p_operation_id uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO iu_core.iu_core_config_history
           (config_key, action, actor, principal, reason, request_id, occurred_at, details)
    SELECT g.gate_key, 'window', w.actor, coalesce(w.principal, ''), coalesce(p_reasons[1], ''),
           w.request_id, iu_core.fn_iu_fact_time(),
           jsonb_build_object('operation_id', p_operation_id, 'instances', w.instances)
      FROM unnest(iu_core.fn_iu_gate_window_keys()) AS g(gate_key),
           (SELECT min(i.actor) AS actor, min(i.principal) AS principal,
                   (array_agg(i.request_id ORDER BY i.ordinal))[1] AS request_id, count(*) AS instances
              FROM unnest(p_items) AS i WHERE i.claimed) AS w
     WHERE w.instances > 0
     ORDER BY g.gate_key;
END
$$;
