-- grant: iu_app
-- All that evidence of an instance consists of (docs/evidence.md), of one moment: STABLE, and asked once.
--   p_head  the digest of the head that the chain is to go to; NULL: see fn_iu_evidence_audit
-- Answers {"status": "ok", "instance", "log", "data", "version", "pieces", and what fn_iu_evidence_audit
-- answers}, times in UTC with microseconds, or its status alone. log and data (text, as it is digested)
-- are null for an instance that no event composed. {"status": "instance_not_found"} where there is none.
-- Takes no lock, changes nothing.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_evidence(p_instance_id uuid, p_head text)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_instance record;
    v_log      iu_core.iu_auto_instantiate_event_log;
    v_audit    jsonb;
BEGIN
    SELECT i.* INTO v_instance
      FROM iu_core.v_iu_instance AS i WHERE i.instance_collection_id = p_instance_id;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'instance_not_found');
    END IF;
    SELECT l.* INTO v_log
      FROM iu_core.iu_auto_instantiate_event_log AS l
     WHERE l.instance_collection_id = p_instance_id;
    v_audit := iu_core.fn_iu_evidence_audit(
        p_instance_id, v_log, v_instance.composed_at, p_head);
    IF v_audit ->> 'status' <> 'ok' THEN
        RETURN v_audit;
    END IF;
    RETURN v_audit || jsonb_build_object(
        'instance', jsonb_build_object(
            'instance_collection_id', p_instance_id, 'instance_key', v_instance.instance_key,
            'template_collection_id', v_instance.template_collection_id,
            'template_key', v_instance.template_key,
            'composed_at', iu_core.fn_iu_utc(v_instance.composed_at),
            'composition_digest', v_instance.composition_digest,
            'lineage_digest', v_instance.lineage_digest,
            'data_digest', v_instance.data_digest, 'product_digest', v_instance.product_digest),
        'log', CASE WHEN v_log.instance_collection_id IS NOT NULL THEN jsonb_build_object(
            'instance_collection_id', p_instance_id, 'event_id', v_log.event_id,
            'reference_id', v_log.reference_id,
            'template_collection_id', v_log.template_collection_id,
            'operation_id', v_log.operation_id, 'request_id', v_log.request_id,
            'batch_id', v_log.batch_id, 'composed_at', iu_core.fn_iu_utc(v_log.composed_at),
            'event_type', v_log.event_type, 'suffix', v_log.suffix, 'actor', v_log.actor,
            'emit_mode', v_log.emit_mode, 'reason', v_log.reason,
            'data_digest', v_log.data_digest, 'warnings', coalesce(v_log.warnings, '{}'),
            'idempotency_key', v_log.idempotency_key) END,
        'data', v_log.data::text,
        'version', iu_core.fn_iu_evidence_version(v_instance.template_collection_id),
        'pieces', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'position', p.position, 'role', p.role,
                       'content_digest', p.content_digest, 'media_type', p.media_type,
                       'title', p.title, 'body', p.body) ORDER BY p.position), '[]')
              FROM iu_core.v_iu_instance_piece AS p
             WHERE p.instance_collection_id = p_instance_id));
END
$$;
