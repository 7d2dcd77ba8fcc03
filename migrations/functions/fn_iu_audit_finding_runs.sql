-- grant: owner only
-- What is wrong with the command record's rows that a segment has sealed, of which its list names each:
--   run_edited     it is not what was sealed
--   run_removed    it is not among those of the segment's time any more
--   run_inserted   it is among them, and no segment has sealed it: put in afterwards, or the clock was
--                  set back
--   run_reordered  the list has it at another place
-- Of a segment that is retired, rows may be gone: of those that are not, the same is said.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_finding_runs(p_segment_no bigint)
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    WITH segment AS MATERIALIZED (
        SELECT s.sealed_runs, s.retired_at, s.last_at, s.last_record_id, iu_core.fn_iu_audit_after(s) AS after_at,
               coalesce(b.last_record_id, '00000000-0000-0000-0000-000000000000') AS after_id
          FROM iu_core.iu_audit_segment AS s
          LEFT JOIN iu_core.iu_audit_segment AS b ON b.segment_no = s.segment_no - 1
         WHERE s.segment_no = p_segment_no
    ), sealed AS MATERIALIZED (
        SELECT l.record_id, l.run_digest, l.place
          FROM segment AS s CROSS JOIN LATERAL iu_core.fn_iu_audit_listed(s.sealed_runs) AS l
    ), found AS MATERIALIZED (
        SELECT d.record_id::text AS record_id, d.last_at,
               iu_core.fn_iu_sha256(iu_core.fn_iu_run_text(d)) AS run_digest,
               row_number() OVER (ORDER BY d.last_at, d.record_id) AS place
          FROM segment AS s
          JOIN iu_core.iu_command_record AS d
            ON (d.last_at, d.record_id) <= (s.last_at, s.last_record_id)
           AND (d.last_at, d.record_id) > (s.after_at, s.after_id)
    ), compared AS (
        SELECT s.record_id AS sealed_id, f.record_id AS found_id, f.last_at,
               s.run_digest AS sealed_digest, f.run_digest AS found_digest,
               row_number() OVER (PARTITION BY s.record_id = f.record_id ORDER BY s.place)
                   <> row_number() OVER (PARTITION BY s.record_id = f.record_id ORDER BY f.place)
                   AS is_elsewhere
          FROM sealed AS s FULL JOIN found AS f ON f.record_id = s.record_id
    )
    SELECT CASE WHEN c.found_id IS NULL THEN 'run_removed'
                WHEN c.sealed_id IS NULL THEN 'run_inserted'
                WHEN c.sealed_digest <> c.found_digest THEN 'run_edited'
                ELSE 'run_reordered' END,
           'run ' || coalesce(c.sealed_id, c.found_id),
           CASE WHEN c.sealed_digest = c.found_digest THEN 'in the order of times and ids'
                ELSE coalesce(c.sealed_digest, 'none') END,
           CASE WHEN c.sealed_digest = c.found_digest THEN 'at another place'
                ELSE coalesce(c.found_digest, 'none') END
      FROM segment AS s CROSS JOIN compared AS c
     WHERE (c.sealed_digest IS DISTINCT FROM c.found_digest OR c.is_elsewhere)
       AND (c.found_id IS NOT NULL OR s.retired_at IS NULL)
       -- Where the clock was set back, segments lie beside each other.
       AND (c.sealed_id IS NOT NULL OR NOT EXISTS (
               SELECT FROM iu_core.iu_audit_segment AS o
                WHERE o.segment_no <> p_segment_no
                  AND o.first_at <= c.last_at
                  AND o.last_at >= c.last_at
                  AND strpos(o.sealed_runs, '  ' || c.found_id || E'\n') > 0))
$$;
