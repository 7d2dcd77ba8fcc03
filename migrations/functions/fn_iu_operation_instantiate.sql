-- grant: owner only
-- Composes these items of an operation, in one composing call, and records what became of each:
--   composed, replayed   with the instance
--   dry_run              would_be and warnings in the details, and the code of a would-be refusal
--   refused              the code, its members in the details
-- Those that a gate turned away go on waiting, and halt the operation. Where the data of some was not
-- judged by what their template asks for now, nothing of the chunk is kept, so that the order stays:
-- {"status": "data_unjudged", "items": [{"ordinal", "schema_digest"}, ...]}.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_instantiate(
    p_operation iu_core.iu_operation, p_ordinals integer[], p_seconds integer)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_events   uuid[];
    v_types    text[];
    v_templates text[];
    v_suffixes text[];
    v_actors   text[];
    v_modes    text[];
    v_reasons  text[];
    v_data     text[];
    v_strict   boolean[];
    v_requests uuid[];
    v_schemas  text[];
    v_errors   text[];
    v_unjudged jsonb;
    v_outcomes text[];
    v_ids      uuid[];
    v_codes    text[];
    v_details  jsonb[];
BEGIN
    SELECT array_agg(r.event_id), array_agg(r.event_type), array_agg(r.template),
           array_agg(r.suffix), array_agg(r.actor), array_agg(r.emit_mode), array_agg(r.reason),
           array_agg(r.data), array_agg(r.require_current),
           -- Its own, so that a chunk that is run again is told what it composed itself.
           array_agg(md5(p_operation.operation_id || ':' || r.ordinal)::uuid),
           array_agg(r.schema_digest), array_agg(r.data_errors)
      INTO v_events, v_types, v_templates, v_suffixes, v_actors, v_modes, v_reasons, v_data,
           v_strict, v_requests, v_schemas, v_errors
      FROM (SELECT i.ordinal, i.schema_digest, i.data_errors::text AS data_errors, o.*
              FROM iu_core.iu_operation_item AS i
             CROSS JOIN LATERAL json_to_record(i.request) AS o(
                   event_id uuid, event_type text, template text, suffix text, actor text,
                   emit_mode text, reason text, data text, require_current boolean)
             WHERE i.operation_id = p_operation.operation_id AND i.ordinal = ANY (p_ordinals)
               -- Before 17 an index that is read in order filters by a list, and does not look for it.
               AND i.ordinal BETWEEN p_ordinals[1] AND p_ordinals[cardinality(p_ordinals)]
             ORDER BY i.ordinal) AS r;

    BEGIN
        SELECT array_agg(CASE WHEN m.would_be IS NOT NULL THEN 'dry_run'
                              WHEN m.status = 'ok' THEN 'composed'
                              WHEN m.status = 'idempotent_replay' THEN 'replayed'
                              WHEN m.status LIKE '%\_gate\_closed' OR m.status = 'gate_sealed' THEN NULL
                              ELSE 'refused' END ORDER BY m.ordinal),
               array_agg(CASE WHEN m.would_be IS NULL AND m.status IN ('ok', 'idempotent_replay')
                              THEN m.instance_collection_id END ORDER BY m.ordinal),
               array_agg(CASE WHEN m.status NOT IN ('ok', 'idempotent_replay')
                              THEN m.status END ORDER BY m.ordinal),
               array_agg(CASE WHEN m.would_be IS NOT NULL
                              THEN m.details || jsonb_build_object(
                                       'would_be', m.would_be, 'warnings', m.warnings)
                              ELSE nullif(m.details, '{}') END ORDER BY m.ordinal),
               jsonb_agg(jsonb_build_object(
                             'ordinal', p_ordinals[m.ordinal],
                             'schema_digest', m.details -> 'schema_digest') ORDER BY m.ordinal)
                   FILTER (WHERE m.status = 'data_unjudged')
          INTO v_outcomes, v_ids, v_codes, v_details, v_unjudged
          FROM iu_core.fn_iu_auto_instantiate_many(
                   v_events, v_types, v_templates, v_suffixes, v_actors, v_modes, v_reasons, v_data,
                   v_strict, array_fill(p_operation.allowed_actors, ARRAY[cardinality(p_ordinals)]),
                   array_fill(p_operation.principal, ARRAY[cardinality(p_ordinals)]), v_requests,
                   p_operation.operation_id, false, v_schemas, v_errors, 'work_on_operations') AS m;
        IF v_unjudged IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PF001', MESSAGE = 'undo the chunk';
        END IF;
    EXCEPTION WHEN SQLSTATE 'PF001' THEN
        RETURN jsonb_build_object('status', 'data_unjudged', 'items', v_unjudged);
    END;

    RETURN iu_core.fn_iu_operation_record(
        p_operation, p_ordinals, v_outcomes, v_ids, v_codes, v_details, p_seconds);
END
$$;
