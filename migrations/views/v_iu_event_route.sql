-- grant: iu_app, iu_reader
-- The routes that events take inside. allowed_actors: see fn_iu_actor_matches.
CREATE OR REPLACE VIEW iu_core.v_iu_event_route AS
SELECT r.route_id, r.route_key, r.revision, r.enabled, r.event_type_pattern, r.filter, r.template,
       r.suffix, r.mapping, r.emit_mode, r.actor, r.allowed_actors, r.principal, r.description,
       r.created_at, r.updated_at, r.updated_by, r.reason
  FROM iu_core.iu_sql_event_route AS r
 WHERE r.removed_at IS NULL;
