-- grant: owner only
-- Gives the uses of the limited leases p_leases, which the call has locked, to the undecided live
-- items in ordinal order; those for whom nothing is left are refused by the gate that ran out. A
-- use is one newly composed instance, so of the items with one key the first that is admitted
-- pays, and the later ones are judged against it. What an item is given that then loses its claim to
-- another call is not spent, but was not there for the items behind it: sent again they are admitted.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_lease_allot(
    p_items iu_core.iu_compose_item[], p_leases uuid[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now   timestamptz := iu_core.fn_iu_now();
    v_item  iu_core.iu_compose_item;
    v_next  record;
    v_gate  text;
    v_lease uuid;
    v_paid  uuid[];
    v_spent jsonb := '{}';
    v_led   boolean[];
    v_out   iu_core.iu_compose_item[] := '{}';
BEGIN
    -- One flag for each key, at the place of the key among the keys: a list of those that are led
    -- would be copied for every item.
    SELECT array_agg(false) INTO v_led FROM unnest(p_items);
    FOR v_next IN
        SELECT i AS item, dense_rank() OVER (ORDER BY i.instance_id) AS place
          FROM unnest(p_items) AS i
         ORDER BY i.ordinal
    LOOP
        v_item := v_next.item;
        IF v_item.status IS NULL AND NOT v_led[v_next.place] THEN
            v_paid := '{}';
            FOREACH v_gate IN ARRAY ARRAY['iu_core.auto_instantiate_enabled', 'iu_core.composer_enabled'] LOOP
                CONTINUE WHEN iu_core.fn_iu_gate_is_open(v_gate, v_item.actor, v_now);
                SELECT l.lease_id INTO v_lease
                  FROM iu_core.iu_gate_lease AS l
                  JOIN iu_core.iu_core_config AS c ON c.config_key = l.gate_key AND c.lease_epoch = l.epoch
                 WHERE l.gate_key = v_gate AND l.revoked_at IS NULL AND l.expires_at > v_now
                   AND l.lease_id = ANY (p_leases)
                   AND (l.actor IS NULL OR l.actor = v_item.actor)
                   AND l.uses_left > coalesce((v_spent ->> l.lease_id::text)::integer, 0)
                 ORDER BY l.actor IS NULL, l.expires_at, l.lease_id
                 LIMIT 1;
                IF v_lease IS NULL THEN
                    v_item := iu_core.fn_iu_compose_decide(
                        v_item, iu_core.fn_iu_gate_code(v_gate), jsonb_build_object('gate', v_gate));
                    EXIT;
                END IF;
                v_paid := v_paid || v_lease;
            END LOOP;
            IF v_item.status IS NULL THEN
                v_item.lease_ids := v_item.lease_ids || v_paid;
                v_led[v_next.place] := true;
                SELECT v_spent || coalesce(jsonb_object_agg(
                           p.lease_id, coalesce((v_spent ->> p.lease_id::text)::integer, 0) + 1), '{}')
                  INTO v_spent FROM unnest(v_paid) AS p(lease_id);
            END IF;
        END IF;
        v_out := v_out || v_item;
    END LOOP;
    RETURN v_out;
END
$$;
