-- grant: owner only
-- The ordinals of the next items, at most p_limit; an empty array when none is left. It ends before
-- the 65th actor, for a transaction locks no more (fn_iu_compose_admit).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_pending(
    p_operation iu_core.iu_operation, p_limit integer)
RETURNS integer[]
LANGUAGE plpgsql VOLATILE
-- In the primary key's order, up to the limit. Left to itself PostgreSQL, while it knows nothing of
-- tables that have just been filled, fetches all items of an operation and sorts them.
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
    v_ordinals integer[];
BEGIN
    SELECT array_agg(c.ordinal ORDER BY c.ordinal) INTO v_ordinals
      FROM (SELECT f.ordinal, sum(f.is_first) OVER (ORDER BY f.ordinal) AS actors
              FROM (SELECT n.ordinal, (row_number() OVER (
                               PARTITION BY n.actor ORDER BY n.ordinal) = 1)::integer AS is_first
                      FROM (SELECT i.ordinal, i.request ->> 'actor' AS actor
                              FROM iu_core.iu_operation_item AS i
                             WHERE i.operation_id = p_operation.operation_id
                               AND i.ordinal >= p_operation.next_ordinal
                               AND i.outcome IS NULL
                             ORDER BY i.ordinal
                             LIMIT p_limit) AS n) AS f) AS c
     WHERE c.actors <= 64;
    RETURN coalesce(v_ordinals, '{}');
END
$$;
