-- grant: owner only
-- Writes what belongs to newly claimed instances: lineage, event log and one message each, one INSERT
-- per table, and gives the messages to the routes outside. Their keys are claimed, so nobody is waited
-- for, in whatever order.
--   p_batch_id  the call, by which its runs find them
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_write(
    p_items iu_core.iu_compose_item[], p_reasons text[], p_data text[], p_operation_id uuid,
    p_batch_id uuid, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_type  constant text := 'iu.template.instance_auto_composed';
    v_ids   uuid[] := ARRAY(SELECT i.instance_id FROM unnest(p_items) AS i WHERE i.claimed);
    v_last  jsonb := iu_core.fn_iu_outbox_sequences(v_ids);
BEGIN
    INSERT INTO iu_core.iu_collection_template_instance_lineage
           (instance_collection_id, template_collection_id, composed_at, composition_digest)
    SELECT i.instance_id, i.template_id, p_now, i.composition_digest
      FROM unnest(p_items) AS i
     WHERE i.claimed;

    INSERT INTO iu_core.iu_auto_instantiate_event_log
           (instance_collection_id, event_id, reference_id, template_collection_id, operation_id,
            request_id, composed_at, event_type, suffix, actor, emit_mode, reason, data_digest,
            data, warnings, batch_id)
    SELECT i.instance_id, i.event_id, i.reference_id, i.template_id, p_operation_id,
           i.request_id, p_now, i.event_type, i.suffix, i.actor, i.emit_mode,
           coalesce(p_reasons[i.ordinal], ''), i.data_digest,
           coalesce(p_data[i.ordinal], '{}')::json, i.warnings,
           p_batch_id
      FROM unnest(p_items) AS i
     WHERE i.claimed;

    INSERT INTO iu_core.event_outbox
           (subject_id, created_at, sequence, domain, event_type, payload)
    SELECT i.instance_id, p_now, 1 + coalesce((v_last ->> i.instance_id::text)::integer, 0), 'iu',
           v_type,
           jsonb_object('{instance_collection_id, template_collection_id, event_id, event_type,
                          actor, composition_digest}',
                        ARRAY[i.instance_id::text, i.template_id::text, i.event_id::text,
                              i.event_type, i.actor, i.composition_digest])
      FROM unnest(p_items) AS i
     WHERE i.claimed;
    PERFORM iu_core.fn_iu_outbox_fan_out(v_ids, v_type, p_now);
END
$$;
