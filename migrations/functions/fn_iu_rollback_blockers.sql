-- grant: owner only
-- What stands against removing these instances: {"blockers": [{instance_collection_id, reason}]},
-- sorted; the first hundred, and blockers_omitted when there are more.
--   edited     it no longer points to the composition that it was composed with
--   delivered  a message of it has left the system, or may have: of an attempt that failed, or is on
--              the wire, nobody can tell; not looked for when p_acknowledge_delivered
-- Messages from before it was composed are of an earlier instance of the same key.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_blockers(
    p_ids uuid[], p_acknowledge_delivered boolean)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_answer jsonb;
BEGIN
    WITH blockers AS (
        SELECT c.collection_id AS id, 'edited' AS reason
          FROM iu_core.iu_piece_collection AS c
          JOIN iu_core.iu_collection_template_instance_lineage AS g
            ON g.instance_collection_id = c.collection_id
         WHERE c.collection_id = ANY (p_ids)
           AND c.composition_digest <> g.composition_digest
        UNION
        SELECT o.subject_id, 'delivered'
          FROM iu_core.event_outbox AS o
          JOIN iu_core.iu_collection_template_instance_lineage AS g
            ON g.instance_collection_id = o.subject_id
         WHERE NOT p_acknowledge_delivered
           AND o.subject_id = ANY (p_ids)
           AND o.created_at >= g.composed_at
           AND (o.delivered_at IS NOT NULL OR EXISTS (
                    SELECT FROM iu_core.iu_route_attempt AS a
                     WHERE a.subject_id = o.subject_id
                       AND a.outbox_id = o.outbox_id
                       AND a.outcome IS DISTINCT FROM 'not_sent'))
    ), ranked AS (
        SELECT b.*, row_number() OVER (ORDER BY b.id, b.reason) AS place FROM blockers AS b
    )
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'blockers', coalesce(jsonb_agg(jsonb_build_object(
                               'instance_collection_id', r.id, 'reason', r.reason) ORDER BY r.place)
                               FILTER (WHERE r.place <= 100), '[]'),
               'blockers_omitted', nullif(greatest(count(*) - 100, 0), 0)))
      INTO v_answer
      FROM ranked AS r;
    RETURN v_answer;
END
$$;
