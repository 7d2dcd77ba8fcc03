-- grant: owner only
-- Composes what events lead to by their routes, in one composing call, and says what became of each:
--   outcome  composed, replayed, refused (with its code), dry_run (with the code that a live call
--            would be refused with, and would_be in the details), or pending: the orchestrator could
--            not judge the data by what it was told, and did nothing
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_fire(p_firings iu_core.iu_event_firing[])
RETURNS TABLE (
    event_id uuid, route_id uuid, instance_collection_id uuid, outcome text, code text,
    template text, suffix text, details jsonb)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_events    uuid[];
    v_types     text[];
    v_templates text[];
    v_suffixes  text[];
    v_actors    text[];
    v_modes     text[];
    v_reasons   text[];
    v_data      text[];
    v_schemas   text[];
    v_errors    text[];
    v_allowed   text[];
    v_principals text[];
    v_requests  uuid[];
BEGIN
    SELECT array_agg(f.event_id), array_agg(f.event_type), array_agg(f.template),
           array_agg(f.suffix), array_agg(f.actor), array_agg(f.emit_mode), array_agg(f.reason),
           array_agg(f.data), array_agg(f.schema_digest), array_agg(f.data_errors),
           array_agg(f.allowed_actors), array_agg(f.principal), array_agg(f.request_id)
      INTO v_events, v_types, v_templates, v_suffixes, v_actors, v_modes, v_reasons, v_data,
           v_schemas, v_errors, v_allowed, v_principals, v_requests
      FROM unnest(p_firings) AS f;
    RETURN QUERY
    SELECT m.event_id, p_firings[m.ordinal].route_id,
           CASE WHEN m.status IN ('ok', 'idempotent_replay') THEN m.instance_collection_id END,
           CASE WHEN m.status = 'data_unjudged' THEN 'pending'
                WHEN m.would_be IS NOT NULL THEN 'dry_run'
                WHEN m.status = 'ok' THEN 'composed'
                WHEN m.status = 'idempotent_replay' THEN 'replayed'
                ELSE 'refused' END,
           CASE WHEN m.status NOT IN ('ok', 'idempotent_replay', 'data_unjudged') THEN m.status END,
           coalesce(m.template_key, p_firings[m.ordinal].template),
           p_firings[m.ordinal].suffix,
           nullif(m.details
                  || CASE WHEN m.would_be IS NULL THEN '{}'
                          ELSE jsonb_build_object('would_be', m.would_be) END
                  || CASE WHEN m.warnings = '{}' THEN '{}'
                          ELSE jsonb_build_object('warnings', m.warnings) END, '{}')
      FROM iu_core.fn_iu_auto_instantiate_many(
               v_events, v_types, v_templates, v_suffixes, v_actors, v_modes, v_reasons, v_data,
               array_fill(false, ARRAY[cardinality(p_firings)]), v_allowed, v_principals,
               v_requests, NULL, false, v_schemas, v_errors) AS m;
END
$$;
