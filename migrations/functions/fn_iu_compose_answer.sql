-- grant: owner only
-- One row per item, in ordinal order. What is replayed is read back from the tables; what this call
-- composed is answered with what it has just written there, so that a replay has the same members
-- with the same values. An original that was rolled back since it was found has no answer any more:
-- 40001, and the same call will find its tombstone. In SQL, so that it becomes part of the query that
-- asks for it, instead of a second copy of every row.
--   p_now     when the call's own instances were composed
--   p_stored  those that are read back
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_answer(
    p_items iu_core.iu_compose_item[], p_operation_id uuid, p_now timestamptz, p_stored uuid[])
RETURNS TABLE (
    ordinal integer, status text, would_be text, instance_collection_id uuid, instance_key text,
    template_collection_id uuid, template_key text, event_id uuid, event_type text,
    idempotency_key text, actor text, emit_mode text, pieces_attached integer,
    composition_digest text, digest_matches_template boolean, operation_id uuid,
    composed_at timestamptz, warnings text[], details jsonb)
LANGUAGE sql STABLE
AS $$
    SELECT i.ordinal,
           CASE WHEN i.is_stored AND s.instance_id IS NULL
                THEN iu_core.fn_iu_compose_lost(i.instance_id) ELSE i.status END,
           iu_core.fn_iu_compose_would_be(i.emit_mode, i.status),
           i.instance_id,
           coalesce(s.instance_key, 'tpl-inst:auto:' || i.suffix),
           coalesce(s.template_collection_id, i.template_id),
           coalesce(s.template_key, i.template_key),
           i.event_id, coalesce(s.event_type, i.event_type),
           replace(i.instance_id::text, '-', ''),
           coalesce(s.actor, i.actor), coalesce(s.emit_mode, i.emit_mode),
           coalesce(s.piece_count, i.piece_count),
           coalesce(s.composition_digest, i.composition_digest),
           coalesce(s.matches, i.composition_digest IS NOT NULL OR NULL),
           CASE WHEN i.claimed THEN p_operation_id ELSE s.operation_id END,
           CASE WHEN i.claimed THEN p_now ELSE s.composed_at END,
           coalesce(CASE WHEN s.instance_id IS NULL THEN i.warnings ELSE s.warnings END, '{}'),
           coalesce(i.details, '{}'::jsonb)
      FROM (SELECT u.*, u.status = 'idempotent_replay'
                        OR (u.status = 'ok' AND u.emit_mode = 'live' AND NOT u.claimed) AS is_stored
              FROM unnest(p_items) AS u) AS i
      LEFT JOIN iu_core.fn_iu_compose_stored(p_stored) AS s
             ON s.instance_id = i.instance_id AND i.is_stored
     ORDER BY i.ordinal
$$;
