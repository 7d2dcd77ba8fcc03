-- grant: iu_app
-- Freezes a bulk of orders as an operation of kind instantiate; nothing is composed yet, and no gate
-- looked at.
--   p_operation_id     md5 of principal and Idempotency-Key where there is a key, else random
--   p_allowed_actors   whom the caller may act as or read, for all chunks: fn_iu_actor_matches;
--                      NULL is everyone
--   p_request_digest   tells whether the same key comes with the same request
--   p_reason           why; NULL is none
--   p_requests         per item a JSON object: event_id, event_type, template, suffix, actor,
--                      emit_mode, reason, data (RFC 8785 text), require_current; as the arrays of
--                      fn_iu_auto_instantiate_many. Their places are the items' ordinals, from 1.
--   p_schema_digests, p_data_errors  what judging the items' data came to, as there
-- Answers {"status": "ok" | "idempotent_replay", "operation_id"}, or a recorded refusal:
-- invalid_input for no items, idempotency_conflict. Raises PF413 beyond 100,000 items.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_create(
    p_operation_id uuid, p_principal text, p_actor text, p_allowed_actors text, p_request_id uuid,
    p_idempotency_key text, p_request_digest text, p_reason text, p_requests text[],
    p_schema_digests text[] DEFAULT NULL, p_data_errors text[] DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command constant text := 'instantiate_bulk';
    v_total   integer := coalesce(cardinality(p_requests), 0);
    v_known   jsonb;
BEGIN
    IF v_total > 100000 THEN
        RAISE EXCEPTION USING ERRCODE = 'PF413', MESSAGE = 'too_large',
            DETAIL = '{"limit": 100000, "counted": "items"}';
    END IF;
    v_known := coalesce(
        iu_core.fn_iu_invalid_input(v_command, ARRAY['/items'], ARRAY['should have at least one item'],
                                    ARRAY[v_total > 0], p_actor, p_principal, p_request_id),
        iu_core.fn_iu_operation_open(
            v_command, 'instantiate', p_operation_id, p_idempotency_key, p_request_digest, v_total,
            '{}', p_reason, p_allowed_actors, p_actor, p_principal, p_request_id,
            iu_core.fn_iu_now()));
    IF v_known IS NOT NULL THEN
        RETURN v_known;
    END IF;
    INSERT INTO iu_core.iu_operation_item
           (operation_id, ordinal, request, schema_digest, data_errors)
    SELECT p_operation_id, r.ordinal, r.request::json, r.schema_digest, r.data_errors::json
      FROM unnest(p_requests, p_schema_digests, p_data_errors)
           WITH ORDINALITY AS r(request, schema_digest, data_errors, ordinal);
    RETURN iu_core.fn_iu_done(
        v_command, jsonb_build_object('status', 'ok', 'operation_id', p_operation_id),
        p_actor, p_principal, p_request_id, p_operation_id, jsonb_build_object('items', v_total),
        p_about => jsonb_build_object('reason', p_reason));
END
$$;
