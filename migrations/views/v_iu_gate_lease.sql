-- grant: iu_app, iu_reader
-- Every lease that was ever taken. state: live; revoked; ended (its gate was closed since);
-- expired; used_up. for_actor and uses_limit are NULL where there is no such limit.
CREATE OR REPLACE VIEW iu_core.v_iu_gate_lease AS
SELECT l.lease_id,
       l.gate_key,
       CASE WHEN l.revoked_at IS NOT NULL THEN 'revoked'
            WHEN l.epoch <> c.lease_epoch THEN 'ended'
            WHEN l.expires_at <= clock_timestamp() + t.set_ahead THEN 'expired'
            WHEN l.uses_left = 0 THEN 'used_up'
            ELSE 'live'
       END AS state,
       l.actor AS for_actor,
       l.uses_limit,
       l.uses_left,
       l.opened_by,
       l.reason,
       l.opened_at,
       l.expires_at,
       l.revoked_at,
       l.revoked_by
  FROM iu_core.iu_gate_lease AS l
  JOIN iu_core.iu_core_config AS c ON c.config_key = l.gate_key
 CROSS JOIN iu_core.iu_clock AS t;
