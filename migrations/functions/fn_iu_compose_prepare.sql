-- grant: owner only
-- Turns the caller's arrays into items: checks each field's grammar, resolves the references and
-- computes the identity. A reference that resolves to nothing has no identity; it is answered
-- where "template exists" stands in the order of the checks. Locks nothing.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_prepare(
    p_event_ids uuid[], p_event_types text[], p_templates text[], p_suffixes text[],
    p_actors text[], p_emit_modes text[], p_reasons text[], p_data text[],
    p_require_current boolean[], p_allowed_actors text[], p_principals text[], p_request_ids uuid[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_control constant text := '[\x01-\x1f\x7f-\x9f]';
    v_items iu_core.iu_compose_item[];
BEGIN
    SELECT array_agg(ROW(
               i.ordinal,
               CASE WHEN e.errors <> '[]'::jsonb THEN 'invalid_input'
                    WHEN i.emit_mode IS NULL OR i.emit_mode NOT IN ('dry_run', 'live')
                    THEN 'invalid_emit_mode' END,
               false, i.event_id, t.reference_id,
               md5(i.event_id || ':' || t.reference_id || ':' || coalesce(i.suffix, ''))::uuid,
               t.template_collection_id, i.request_id, i.template, i.event_type,
               coalesce(i.suffix, ''), i.actor, i.emit_mode,
               encode(sha256(convert_to(coalesce(i.data, '{}'), 'UTF8')), 'hex'),
               t.composition_digest, coalesce(i.require_current, false), i.allowed_actors,
               i.principal, NULL, NULL,
               CASE WHEN e.errors <> '[]'::jsonb THEN jsonb_build_object('errors', e.errors)
                    WHEN i.emit_mode IS NULL OR i.emit_mode NOT IN ('dry_run', 'live')
                    THEN jsonb_build_object('emit_mode', i.emit_mode) END
           )::iu_core.iu_compose_item ORDER BY i.ordinal)
      INTO v_items
      FROM unnest(p_event_ids, p_event_types, p_templates, p_suffixes, p_actors, p_emit_modes,
                  p_reasons, p_data, p_require_current, p_allowed_actors, p_principals,
                  p_request_ids) WITH ORDINALITY
           AS i(event_id, event_type, template, suffix, actor, emit_mode, reason, data,
                require_current, allowed_actors, principal, request_id, ordinal)
      LEFT JOIN iu_core.fn_iu_template_resolve(p_templates) AS t ON t.ref = i.template
     CROSS JOIN LATERAL (
           SELECT coalesce(jsonb_agg(jsonb_build_object(
                      'pointer', c.pointer, 'rule', c.rule, 'detail', c.detail)), '[]')
             FROM (VALUES
                 ('/event_id', 'missing', 'Field required', i.event_id IS NULL),
                 ('/event_type', 'string', 'must be 1 to 200 characters, none of them a control character',
                  coalesce(length(i.event_type) NOT BETWEEN 1 AND 200 OR i.event_type ~ v_control, true)),
                 ('/template', 'template_reference', 'must be a collection''s UUID, a key such as tpl:wf:onboarding/v2, '
                               'or a family such as tpl:wf:onboarding',
                  coalesce(i.template !~ '^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|'
                                         'tpl:[a-z0-9-]+:[a-z0-9-]+([/@]v[1-9][0-9]{0,8})?)$', true)),
                 ('/suffix', 'string', 'must be at most 200 characters, none of them a control character',
                  length(i.suffix) > 200 OR i.suffix ~ v_control),
                 ('/actor', 'actor', 'must match [a-z0-9][a-z0-9._:-]{0,127}',
                  coalesce(i.actor !~ '^[a-z0-9][a-z0-9._:-]{0,127}$', true)),
                 ('/reason', 'string', 'must be at most 500 characters, none of them a control character',
                  length(i.reason) > 500 OR i.reason ~ v_control)
             ) AS c(pointer, rule, detail, is_wrong)
            WHERE c.is_wrong) AS e(errors);
    RETURN coalesce(v_items, '{}');
END
$$;
