-- grant: iu_app, iu_reader
-- How often each code was answered within the last hour and the last day. At most the newest
-- 100,000 refusals are looked at, so that a storm of refusals can't make looking at it expensive;
-- in such a storm the figures are lower bounds.
CREATE OR REPLACE VIEW iu_core.v_iu_refusal_by_code AS
SELECT d.code,
       coalesce(sum(d.occurrences) FILTER (
           WHERE d.last_at > statement_timestamp() - interval '1 hour'
                             + (SELECT k.set_ahead FROM iu_core.iu_clock AS k)), 0)::bigint AS last_hour,
       sum(d.occurrences)::bigint AS last_day,
       max(d.last_at) AS last_at
  FROM (SELECT t.code, t.occurrences, t.last_at
          FROM iu_core.iu_command_record AS t
         WHERE t.outcome = 'refused'
           AND t.last_at > statement_timestamp() - interval '1 day'
                             + (SELECT k.set_ahead FROM iu_core.iu_clock AS k)
         ORDER BY t.last_at DESC
         LIMIT 100000) AS d
 GROUP BY d.code;
