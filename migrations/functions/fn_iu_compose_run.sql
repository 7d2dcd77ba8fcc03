-- grant: owner only
-- Records what a composing call did, one run for each actor: how many instances it composed and how
-- many it replayed, by which leases, and the digest of those that it composed, from which
-- fn_iu_audit_verify sees that one is gone. Of several requests the first is named.
--   p_pays      whether closed gates admitted some of it by leases
--   p_batch_id  the call: the instances have it in their event-log rows
--   p_now       when they were composed
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_run(
    p_items iu_core.iu_compose_item[], p_pays boolean, p_command text, p_operation_id uuid,
    p_batch_id uuid, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_leases jsonb := '{}';  -- by actor
BEGIN
    IF p_pays THEN
        SELECT jsonb_object_agg(p.actor, p.lease_ids) INTO v_leases
          FROM (SELECT i.actor, jsonb_agg(DISTINCT l.lease_id) AS lease_ids
                  FROM unnest(p_items) AS i, unnest(i.lease_ids) AS l(lease_id)
                 WHERE i.claimed
                 GROUP BY i.actor) AS p;
    END IF;
    INSERT INTO iu_core.iu_command_record
           (subject_id, request_id, first_at, last_at, command, outcome, code, actor, principal,
            details, took_us, counts, lease_ids, instances_digest)
    SELECT p_batch_id, (array_agg(i.request_id))[1], p_now, p_now, p_command, 'done',
           CASE WHEN bool_or(i.status = 'ok') THEN 'ok' ELSE 'idempotent_replay' END,
           i.actor, CASE WHEN min(i.principal) = max(i.principal) THEN min(i.principal) END,
           jsonb_strip_nulls(jsonb_build_object(
               'operation_id', p_operation_id,
               'principals', CASE WHEN min(i.principal) < max(i.principal)
                                  THEN to_jsonb(array_agg(DISTINCT i.principal)) END)),
           iu_core.fn_iu_took_us(),
           jsonb_build_object('composed', count(*) FILTER (WHERE i.claimed),
                              'replayed', count(*) FILTER (WHERE NOT i.claimed)),
           CASE WHEN v_leases ? i.actor
                THEN ARRAY(SELECT jsonb_array_elements_text(v_leases -> i.actor)::uuid) END,
           encode(sha256(convert_to(string_agg(
               iu_core.fn_iu_instance_line(
                   i.instance_id, i.template_id, i.composition_digest, i.data_digest),
               '' ORDER BY i.instance_id) FILTER (WHERE i.claimed), 'UTF8')), 'hex')
      FROM unnest(p_items) AS i
     WHERE i.emit_mode = 'live' AND i.status IN ('ok', 'idempotent_replay')
     GROUP BY i.actor
     ORDER BY i.actor;
END
$$;
