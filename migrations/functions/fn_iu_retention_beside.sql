-- grant: owner only
-- The segments of the audit chain that lie beside others, or beyond its end, since the clock was set back.
-- In one look at all: to ask of each whether there is another takes the square of it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_beside()
RETURNS bigint[]
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(array_agg(o.segment_no ORDER BY o.segment_no), '{}')
      FROM (SELECT s.segment_no, s.first_at, s.last_at,
                   -- Ordered by where they begin, one reaches into those behind it, or the next into it.
                   max(s.last_at) OVER (ORDER BY s.first_at, s.last_at
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached_at,
                   lead(s.first_at) OVER (ORDER BY s.first_at, s.last_at) AS next_at
              FROM iu_core.iu_audit_segment AS s) AS o
     WHERE o.reached_at > o.first_at
        OR o.next_at < o.last_at
        OR EXISTS (SELECT FROM iu_core.iu_audit_chain AS c WHERE c.last_at < o.last_at)
$$;
