-- grant: iu_app, iu_reader
-- What came of each route that an event took. route_key is that of a route that was taken away, too;
-- is_removed says so.
CREATE OR REPLACE VIEW iu_core.v_iu_event_result AS
SELECT r.event_id, r.route_id, t.route_key, r.outcome, r.code, r.instance_collection_id,
       r.template, r.suffix, r.details, r.fired_at, r.firings,
       t.removed_at IS NOT NULL AS is_removed
  FROM iu_core.iu_event_result AS r
  JOIN iu_core.iu_sql_event_route AS t ON t.route_id = r.route_id;
