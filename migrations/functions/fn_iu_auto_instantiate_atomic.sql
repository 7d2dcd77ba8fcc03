-- grant: iu_app
-- The same as fn_iu_auto_instantiate_many, all or none: when one item is refused nothing of the
-- call stays, every answer tells what its item would have got, and the refusal is recorded once,
-- with every failing item; where all of them met a closed gate it is counted like other refusals
-- there. Where something is data_unjudged nothing is refused yet, and nothing recorded. Arguments as
-- there.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_auto_instantiate_atomic(
    p_event_ids uuid[], p_event_types text[], p_templates text[], p_suffixes text[],
    p_actors text[], p_emit_modes text[], p_reasons text[], p_data text[],
    p_require_current boolean[], p_allowed_actors text[], p_principals text[], p_request_ids uuid[],
    p_operation_id uuid, p_window boolean, p_schema_digests text[] DEFAULT NULL,
    p_data_errors text[] DEFAULT NULL)
RETURNS TABLE (
    ordinal integer, status text, would_be text, instance_collection_id uuid, instance_key text,
    template_collection_id uuid, template_key text, event_id uuid, event_type text,
    idempotency_key text, actor text, emit_mode text, pieces_attached integer,
    composition_digest text, digest_matches_template boolean, operation_id uuid,
    composed_at timestamptz, warnings text[], details jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_answers jsonb;
    v_failing jsonb;
    v_code    text;
BEGIN
    BEGIN
        SELECT jsonb_agg(to_jsonb(m) ORDER BY m.ordinal),
               jsonb_agg(jsonb_build_object('ordinal', m.ordinal, 'code', m.status) ORDER BY m.ordinal)
                   FILTER (WHERE m.would_be IS NULL AND m.status NOT IN ('ok', 'idempotent_replay'))
          INTO v_answers, v_failing
          FROM iu_core.fn_iu_auto_instantiate_many(
                   p_event_ids, p_event_types, p_templates, p_suffixes, p_actors, p_emit_modes,
                   p_reasons, p_data, p_require_current, p_allowed_actors, p_principals,
                   p_request_ids, p_operation_id, p_window, p_schema_digests, p_data_errors,
                   'instantiate_bulk') AS m;
        IF v_failing IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PF001', MESSAGE = 'undo the bulk';
        END IF;
    EXCEPTION WHEN SQLSTATE 'PF001' THEN
        -- The subtransaction took its own records with it; this one stays. Refusals at a closed gate
        -- are only counted, so whatever else there is among them gives it its name.
        SELECT f.item ->> 'code' INTO v_code
          FROM jsonb_array_elements(v_failing) WITH ORDINALITY AS f(item, place)
         ORDER BY f.item ->> 'code' LIKE '%\_gate\_closed', f.place
         LIMIT 1;
        IF NOT v_failing @> '[{"code": "data_unjudged"}]' THEN
            PERFORM iu_core.fn_iu_refuse(
                'instantiate_bulk', v_code,
                jsonb_build_object('items', v_failing, 'operation_id', p_operation_id),
                p_actors[1], p_principals[1], p_request_ids[1]);
        END IF;
    END;
    RETURN QUERY
    SELECT a.* FROM jsonb_to_recordset(v_answers) AS a(
        ordinal integer, status text, would_be text, instance_collection_id uuid,
        instance_key text, template_collection_id uuid, template_key text, event_id uuid,
        event_type text, idempotency_key text, actor text, emit_mode text, pieces_attached integer,
        composition_digest text, digest_matches_template boolean, operation_id uuid,
        composed_at timestamptz, warnings text[], details jsonb);
END
$$;
