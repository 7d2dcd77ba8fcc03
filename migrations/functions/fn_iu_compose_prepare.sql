-- grant: owner only
-- Turns the caller's arrays into items: checks each field's grammar, resolves the references and
-- computes the identity. A reference that resolves to nothing has no identity; it is answered
-- where "template exists" stands in the order of the checks. Locks nothing.
-- It runs once for each item of each call, so it is written for speed: one pass, arrays by
-- subscript, no regular expression for an item of a call that has nothing odd in it anywhere, and
-- no counted repetition in one that every item meets (docs/decisions/0014).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_prepare(
    p_event_ids uuid[], p_event_types text[], p_templates text[], p_suffixes text[],
    p_actors text[], p_emit_modes text[], p_reasons text[], p_data text[],
    p_require_current boolean[], p_allowed_actors text[], p_principals text[], p_request_ids uuid[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_control constant text := '[\x01-\x1f\x7f-\x9f]';
    -- Whether some field has a character that its grammar forbids: one look at all of them.
    v_odd     constant boolean := concat(array_to_string(p_event_types, ''),
        array_to_string(p_suffixes, ''), array_to_string(p_reasons, '')) ~ v_control
        OR concat(array_to_string(p_actors, '')) ~ '[^a-z0-9._:-]';
    -- Where one array is shorter, its fields are missing.
    v_count   constant integer := greatest(
        cardinality(p_event_ids), cardinality(p_event_types), cardinality(p_templates),
        cardinality(p_suffixes), cardinality(p_actors), cardinality(p_emit_modes),
        cardinality(p_reasons), cardinality(p_data), cardinality(p_require_current),
        cardinality(p_allowed_actors), cardinality(p_principals), cardinality(p_request_ids));
    v_items   iu_core.iu_compose_item[];
BEGIN
    SELECT array_agg(ROW(
               i.ordinal,
               CASE WHEN w.wrong <> '' THEN 'invalid_input'
                    WHEN i.emit_mode IS NULL OR i.emit_mode NOT IN ('dry_run', 'live')
                    THEN 'invalid_emit_mode' END,
               false, i.event_id, t.reference_id,
               md5(i.event_id || ':' || t.reference_id || ':' || coalesce(i.suffix, ''))::uuid,
               t.template_collection_id, p_request_ids[i.ordinal], i.template, i.event_type,
               coalesce(i.suffix, ''), i.actor, i.emit_mode,
               encode(sha256(convert_to(coalesce(p_data[i.ordinal], '{}'), 'UTF8')), 'hex'),
               t.composition_digest, coalesce(p_require_current[i.ordinal], false),
               p_allowed_actors[i.ordinal], p_principals[i.ordinal], NULL, NULL,
               CASE WHEN w.wrong <> ''
                    THEN jsonb_build_object('errors', iu_core.fn_iu_compose_input_errors(w.wrong))
                    WHEN i.emit_mode IS NULL OR i.emit_mode NOT IN ('dry_run', 'live')
                    THEN jsonb_build_object('emit_mode', i.emit_mode) END,
               t.template_key, CASE WHEN t.family_exists THEN t.family_key END, t.piece_count,
               t.schema_digest
           )::iu_core.iu_compose_item ORDER BY i.ordinal)
      INTO v_items
      FROM (SELECT u.ordinal, p_event_ids[u.ordinal] AS event_id,
                   p_event_types[u.ordinal] AS event_type, p_templates[u.ordinal] AS template,
                   p_suffixes[u.ordinal] AS suffix, p_actors[u.ordinal] AS actor,
                   p_emit_modes[u.ordinal] AS emit_mode, p_reasons[u.ordinal] AS reason
              FROM generate_series(1, v_count) AS u(ordinal)) AS i
      LEFT JOIN (SELECT r.ref, f.*
                   FROM (SELECT DISTINCT u.ref FROM unnest(p_templates) AS u(ref)) AS r
                  CROSS JOIN LATERAL iu_core.fn_iu_template_find(r.ref) AS f) AS t
             ON t.ref = i.template
     CROSS JOIN LATERAL (SELECT concat_ws(' ',
           CASE WHEN i.event_id IS NULL THEN '/event_id' END,
           CASE WHEN coalesce(length(i.event_type) NOT BETWEEN 1 AND 200
                              OR (v_odd AND i.event_type ~ v_control), true) THEN '/event_type' END,
           -- What was found is well-formed.
           CASE WHEN t.reference_id IS NULL AND coalesce(i.template !~
                     '^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|'
                     'tpl:[a-z0-9-]+:[a-z0-9-]+([/@]v[1-9][0-9]{0,8})?)$', true) THEN '/template' END,
           CASE WHEN length(i.suffix) > 200 OR (v_odd AND i.suffix ~ v_control) THEN '/suffix' END,
           -- With nothing odd in it, what is left is that it begins with a letter or a digit.
           CASE WHEN coalesce(length(i.actor) NOT BETWEEN 1 AND 128
                              OR strpos('._:-', left(i.actor, 1)) > 0
                              OR (v_odd AND i.actor !~ '^[a-z0-9][a-z0-9._:-]*$'), true)
                THEN '/actor' END,
           CASE WHEN length(i.reason) > 500 OR (v_odd AND i.reason ~ v_control) THEN '/reason' END) AS wrong
           OFFSET 0) AS w;
    RETURN coalesce(v_items, '{}');
END
$$;
