-- grant: iu_app
-- Registers an event type, or changes one. Its version counts the changes of p_data_schema, a JSON
-- Schema as RFC 8785 text; NULL: its data may be anything. Putting what is there changes nothing.
-- The change is in force for every event that is taken after it.
-- Answers {"status": "ok", "changed", "version"}; refuses with invalid_input.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_type_put(
    p_event_type text, p_delivery_lane text, p_data_schema text, p_description text, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_refused jsonb;
    v_now     timestamptz := iu_core.fn_iu_now();
    v_version integer;
    v_changed boolean;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input('put_event_type',
        ARRAY['/event_type', '/delivery_lane', '/data_schema', '/description', '/reason'],
        ARRAY['should be one line of 1 to 200 characters', 'should be delayed or live',
              'should be an object', 'should be at most 2000 characters', 'should be one line of 1 to 500 characters'],
        ARRAY[iu_core.fn_iu_is_line(p_event_type, 200), p_delivery_lane IN ('delayed', 'live'),
              p_data_schema IS NULL OR json_typeof(p_data_schema::json) = 'object',
              length(p_description) <= 2000, iu_core.fn_iu_is_line(p_reason, 500)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    INSERT INTO iu_core.event_type_registry AS t
           (event_type, delivery_lane, domain, description, created_at, data_schema, updated_at,
            updated_by, reason)
    VALUES (p_event_type, p_delivery_lane, 'system', p_description, v_now, p_data_schema::json,
            v_now, p_actor, p_reason)
        ON CONFLICT (event_type) DO UPDATE
       SET version = t.version + (t.data_schema::text IS DISTINCT FROM p_data_schema)::integer,
           delivery_lane = excluded.delivery_lane, description = excluded.description,
           data_schema = excluded.data_schema, updated_at = v_now, updated_by = p_actor,
           reason = p_reason
     WHERE (t.delivery_lane, t.description, t.data_schema::text)
           IS DISTINCT FROM (p_delivery_lane, p_description, p_data_schema)
    RETURNING t.version INTO v_version;
    v_changed := FOUND;
    IF v_changed THEN
        PERFORM iu_core.fn_iu_event_rules_change();
    ELSE
        SELECT t.version INTO v_version
          FROM iu_core.event_type_registry AS t WHERE t.event_type = p_event_type;
    END IF;
    RETURN iu_core.fn_iu_done(
        'put_event_type',
        jsonb_build_object('status', 'ok', 'changed', v_changed, 'version', v_version),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object(
            'event_type', p_event_type, 'delivery_lane', p_delivery_lane,
            'data_schema_sha256', iu_core.fn_iu_sha256(p_data_schema), 'reason', p_reason));
END
$$;
