-- grant: owner only
-- What was done by a plan before: {"plan", "deleted" (rows by target), "begun_at", "begun_by", "answer"},
-- told from its runs, whose subject is the plan; NULL: nothing was. answer: what this very request was
-- answered, where it comes a second time, since the first answer was lost.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_begun(p_plan_id uuid, p_request_id uuid)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    WITH runs AS MATERIALIZED (
        SELECT d.last_at, d.actor, d.request_id, d.counts, d.details
          FROM iu_core.iu_command_record AS d
         WHERE d.subject_id = p_plan_id
           AND d.command = 'cleanup_retention'
           AND d.outcome = 'done'
    )
    SELECT jsonb_build_object(
               'plan', f.details -> 'plan', 'begun_at', f.last_at, 'begun_by', f.actor,
               'deleted', (SELECT jsonb_object_agg(s.target, s.rows)
                             FROM (SELECT c.key AS target, sum(c.value::bigint) AS rows
                                     FROM runs AS r CROSS JOIN LATERAL jsonb_each_text(r.counts) AS c
                                    GROUP BY c.key) AS s),
               'answer', (SELECT r.details - ARRAY['plan', 'retired', 'reason']
                            FROM runs AS r WHERE r.request_id = p_request_id LIMIT 1))
      FROM runs AS f
     WHERE f.details ? 'plan'
     ORDER BY f.last_at
     LIMIT 1
$$;
