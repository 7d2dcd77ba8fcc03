-- grant: iu_app, iu_reader
-- Every change of a gate or a setting, and every window that a bulk opened for itself.
CREATE OR REPLACE VIEW iu_core.v_iu_config_history AS
SELECT h.history_id,
       h.config_key,
       c.is_write_gate,
       h.action,
       h.actor,
       h.principal,
       h.reason,
       h.request_id,
       h.occurred_at,
       h.details
  FROM iu_core.iu_core_config_history AS h
  JOIN iu_core.iu_core_config AS c ON c.config_key = h.config_key;
