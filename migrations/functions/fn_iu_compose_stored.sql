-- grant: owner only
-- What the tables say of instances that were composed before: one row for each that is there.
-- Not in SQL: what would then become part of the query that asks for it starts five looks into
-- tables, also for the usual call, which asks for nothing.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_stored(p_instance_ids uuid[])
RETURNS TABLE (
    instance_id uuid, instance_key text, template_collection_id uuid, template_key text,
    event_type text, actor text, emit_mode text, piece_count integer, composition_digest text,
    matches boolean, operation_id uuid, composed_at timestamptz, warnings text[])
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF p_instance_ids <> '{}' THEN
        RETURN QUERY
        SELECT l.instance_collection_id, c.collection_key, l.template_collection_id,
               m.template_key, l.event_type, l.actor, l.emit_mode, p.piece_count,
               c.composition_digest, c.composition_digest = m.composition_digest,
               l.operation_id, l.composed_at, l.warnings
          FROM iu_core.iu_auto_instantiate_event_log AS l
          JOIN iu_core.iu_piece_collection AS c ON c.collection_id = l.instance_collection_id
          JOIN iu_core.iu_collection_template_registry AS m
            ON m.template_collection_id = l.template_collection_id
          JOIN iu_core.iu_composition AS p ON p.composition_digest = c.composition_digest
         WHERE l.instance_collection_id = ANY (p_instance_ids);
    END IF;
END
$$;
