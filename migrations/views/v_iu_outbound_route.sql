-- grant: iu_app
-- The routes that lead outside, without what their messages are signed with. Not for
-- dashboards: an endpoint may be a secret by itself. is_live: the setting
-- names it.
CREATE OR REPLACE VIEW iu_core.v_iu_outbound_route AS
SELECT r.route_id, r.route_name, r.revision, r.enabled, r.enabled_at, r.event_type_pattern,
       r.endpoint, cardinality(r.secrets) AS secret_count, r.description, r.disabled_by_answer,
       c.config_value ? r.route_name AS is_live,
       r.created_at, r.updated_at, r.updated_by, r.reason
  FROM iu_core.iu_outbound_route AS r
 CROSS JOIN iu_core.iu_core_config AS c
 WHERE r.removed_at IS NULL AND c.config_key = 'iu_core.delivery_live_routes';
