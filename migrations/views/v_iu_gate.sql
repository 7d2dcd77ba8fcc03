-- grant: iu_app, iu_reader
-- The eleven gates. state: open (until closed); leased (for a while, to some or to all); closed.
-- Who changed it, when and why is told of the last lease where the gate is leased, else of the
-- last opening, closing, sealing or unsealing. revision counts those.
CREATE OR REPLACE VIEW iu_core.v_iu_gate AS
SELECT c.config_key AS gate_key,
       s.state,
       l.live_leases,
       l.leases_end_at,
       c.sealed_at,
       c.sealed_by,
       CASE s.state WHEN 'leased' THEN l.opened_at ELSE c.updated_at END AS changed_at,
       CASE s.state WHEN 'leased' THEN l.opened_by ELSE c.updated_by END AS changed_by,
       CASE s.state WHEN 'leased' THEN l.reason ELSE c.reason END AS reason,
       c.revision
  FROM iu_core.iu_core_config AS c
 CROSS JOIN LATERAL (
       SELECT count(*) AS live_leases,
              max(g.expires_at) AS leases_end_at,
              max(g.opened_at) AS opened_at,
              (array_agg(g.opened_by ORDER BY g.opened_at DESC, g.lease_id))[1] AS opened_by,
              (array_agg(g.reason ORDER BY g.opened_at DESC, g.lease_id))[1] AS reason
         FROM iu_core.v_iu_gate_lease AS g
        WHERE g.gate_key = c.config_key AND g.state = 'live') AS l
 CROSS JOIN LATERAL (
       SELECT CASE WHEN c.config_value = 'true'::jsonb THEN 'open'
                   WHEN l.live_leases > 0 THEN 'leased'
                   ELSE 'closed'
              END AS state) AS s
 WHERE c.is_write_gate;
