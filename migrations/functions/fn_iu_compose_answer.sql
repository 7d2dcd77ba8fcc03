-- grant: owner only
-- One row per item, in ordinal order. What was composed and what is replayed is read back from
-- the tables, so that a replay has the same members with the same values by construction. An
-- original that was rolled back since it was found has no answer any more: 40001, and the same
-- call will find its tombstone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_answer(p_items iu_core.iu_compose_item[])
RETURNS TABLE (
    ordinal integer, status text, would_be text, instance_collection_id uuid, instance_key text,
    template_collection_id uuid, template_key text, event_id uuid, event_type text,
    idempotency_key text, actor text, emit_mode text, pieces_attached integer,
    composition_digest text, digest_matches_template boolean, operation_id uuid,
    composed_at timestamptz, warnings text[], details jsonb)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_stored uuid[];
BEGIN
    SELECT array_agg(DISTINCT i.instance_id) INTO v_stored
      FROM unnest(p_items) AS i
     WHERE i.status = 'idempotent_replay' OR (i.status = 'ok' AND i.emit_mode = 'live');

    RETURN QUERY
    WITH stored AS MATERIALIZED (
        SELECT l.instance_collection_id AS id, c.collection_key, l.template_collection_id,
               m.template_key, l.event_id, l.event_type, l.idempotency_key, l.actor, l.emit_mode,
               p.piece_count, c.composition_digest,
               c.composition_digest = m.composition_digest AS matches,
               l.operation_id, l.composed_at, l.warnings
          FROM iu_core.iu_auto_instantiate_event_log AS l
          JOIN iu_core.iu_piece_collection AS c ON c.collection_id = l.instance_collection_id
          JOIN iu_core.iu_collection_template_registry AS m
            ON m.template_collection_id = l.template_collection_id
          JOIN iu_core.iu_composition AS p ON p.composition_digest = c.composition_digest
         WHERE l.instance_collection_id = ANY (v_stored)
    )
    SELECT i.ordinal,
           CASE WHEN s.id IS NULL
                     AND (i.status = 'idempotent_replay' OR (i.status = 'ok' AND i.emit_mode = 'live'))
                THEN iu_core.fn_iu_compose_lost(i.instance_id) ELSE i.status END,
           iu_core.fn_iu_compose_would_be(i.emit_mode, i.status),
           i.instance_id,
           coalesce(s.collection_key, 'tpl-inst:auto:' || i.suffix),
           coalesce(s.template_collection_id, i.template_id),
           coalesce(s.template_key, m.template_key),
           i.event_id, coalesce(s.event_type, i.event_type),
           coalesce(s.idempotency_key, replace(i.instance_id::text, '-', '')),
           coalesce(s.actor, i.actor), coalesce(s.emit_mode, i.emit_mode),
           coalesce(s.piece_count, m.piece_count),
           coalesce(s.composition_digest, i.composition_digest),
           coalesce(s.matches, i.composition_digest = m.composition_digest),
           s.operation_id, s.composed_at,
           coalesce(CASE WHEN s.id IS NULL THEN i.warnings ELSE s.warnings END, '{}'),
           coalesce(i.details, '{}'::jsonb)
      FROM unnest(p_items) AS i
      LEFT JOIN stored AS s
             ON s.id = i.instance_id
            AND (i.status = 'idempotent_replay' OR (i.status = 'ok' AND i.emit_mode = 'live'))
      LEFT JOIN iu_core.iu_collection_template_registry AS m
             ON m.template_collection_id = i.template_id
     ORDER BY i.ordinal;
END
$$;
