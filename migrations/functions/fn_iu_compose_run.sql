-- grant: owner only
-- Records what a composing call did as one actor: how many instances it composed and how many it
-- replayed, by which leases, and the digest of those that it composed, from which fn_iu_audit_verify sees
-- that one is gone.
--   p_part      the sum of the actor's parts. Of several requests the first is named; several principals
--               are named in the details
--   p_batch_id  the call: the instances have it in their event-log rows
--   p_now       when they were composed
--   p_window    whether the call had its own gate window: what composed under it names its gates
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_run(
    p_items iu_core.iu_compose_item[], p_part iu_core.iu_compose_part, p_command text,
    p_operation_id uuid, p_batch_id uuid, p_now timestamptz, p_window boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_leases  uuid[];
    v_details jsonb := '{}';
BEGIN
    -- Of one item without a query: each costs a small call.
    IF p_part.pays AND p_part.items = 1 THEN
        v_leases := p_items[p_part.first].lease_ids;
    ELSIF p_part.pays THEN
        SELECT array_agg(DISTINCT l.lease_id) INTO v_leases
          FROM unnest(p_items) AS i, unnest(i.lease_ids) AS l(lease_id)
         WHERE i.claimed AND i.actor = p_part.actor;
    END IF;
    IF p_part.principal IS NULL THEN
        SELECT jsonb_build_object('principals', jsonb_agg(DISTINCT i.principal)) INTO v_details
          FROM unnest(p_items) AS i WHERE i.actor = p_part.actor;
    END IF;
    IF p_operation_id IS NOT NULL THEN
        v_details := v_details || jsonb_build_object('operation_id', p_operation_id);
    END IF;
    IF p_window AND p_part.composed > 0 THEN
        v_details := v_details || jsonb_build_object('gate_window', iu_core.fn_iu_gate_window_keys());
    END IF;
    INSERT INTO iu_core.iu_command_record
           (subject_id, record_id, request_id, first_at, last_at, command, outcome, code, actor,
            principal, details, took_us, counts, lease_ids, instances_digest)
    -- The run with the call's first item has the call's id: a random number more is a tenth of what a run
    -- costs where the server has to open /dev/urandom for each.
    VALUES (p_batch_id, CASE p_part.first WHEN 1 THEN p_batch_id ELSE gen_random_uuid() END,
            p_items[p_part.first].request_id, p_now, p_now, p_command, 'done',
            CASE WHEN p_part.composed > 0 THEN 'ok' ELSE 'idempotent_replay' END,
            p_part.actor, p_part.principal, v_details, iu_core.fn_iu_took_us(),
            jsonb_build_object(
                'composed', p_part.composed,
                'replayed', p_part.items - p_part.told - p_part.composed),
            v_leases, encode(sha256(p_part.instances), 'hex'));
END
$$;
