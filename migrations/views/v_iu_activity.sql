-- grant: iu_app, iu_reader
-- One row: how many instances were composed within the last minute and the last hour. At most the
-- newest 100,000 are looked at; is_capped says that this was not enough for the hour, so that its
-- figure is a lower bound.
CREATE OR REPLACE VIEW iu_core.v_iu_activity AS
SELECT statement_timestamp() + (SELECT k.set_ahead FROM iu_core.iu_clock AS k) AS observed_at,
       count(*) FILTER (
           WHERE n.composed_at > statement_timestamp() - interval '1 minute'
                                 + (SELECT k.set_ahead FROM iu_core.iu_clock AS k)) AS composed_last_minute,
       count(*) AS composed_last_hour,
       count(*) >= 100000 AS is_capped
  FROM (SELECT l.composed_at
          FROM iu_core.iu_collection_template_instance_lineage AS l
         WHERE l.composed_at > statement_timestamp() - interval '1 hour'
                               + (SELECT k.set_ahead FROM iu_core.iu_clock AS k)
         ORDER BY l.composed_at DESC
         LIMIT 100000) AS n;
