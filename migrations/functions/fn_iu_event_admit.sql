-- grant: owner only
-- Takes the locks of the gates that the undecided events, and what they compose, pass, and decides
-- those that are not taken: a closed gate first, then what the service found by the rules in force
-- (an unknown type, data that its schema does not take, too long a chain). What is left undecided
-- may be stored. All gates at once, in the order of every other call: taking those of composing
-- later, behind this one, could meet somebody who takes them the other way round.
--   p_refusals   by ordinal, {"code", members}; NULL: nothing was found
--   p_composes   whether some of the events are composed from
-- Answers the items, and by actor the leases that admit them to the intake.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_admit(
    p_items iu_core.iu_event_item[], p_refusals jsonb[], p_composes boolean,
    OUT items iu_core.iu_event_item[], OUT leases jsonb)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_gate   constant text := 'iu_core.event_intake_enabled';
    v_now    timestamptz;
    v_turned text[];
BEGIN
    PERFORM iu_core.fn_iu_lock('gate', CASE WHEN p_composes
        THEN ARRAY[v_gate, 'iu_core.auto_instantiate_enabled', 'iu_core.composer_enabled']
        ELSE ARRAY[v_gate] END, true);
    v_now := iu_core.fn_iu_now();
    SELECT coalesce(array_agg(a.actor) FILTER (WHERE a.lease_ids IS NULL), '{}'),
           jsonb_object_agg(a.actor, a.lease_ids) FILTER (WHERE a.lease_ids <> '{}')
      INTO v_turned, leases
      FROM (SELECT s.actor, iu_core.fn_iu_gate_admission(v_gate, s.actor, v_now) AS lease_ids
              FROM (SELECT DISTINCT i.actor FROM unnest(p_items) AS i WHERE i.status IS NULL) AS s
            OFFSET 0) AS a;

    SELECT array_agg(
               CASE WHEN i.status IS NOT NULL THEN i
                    WHEN i.actor = ANY (v_turned)
                    THEN iu_core.fn_iu_event_decide(i, iu_core.fn_iu_gate_code(v_gate),
                                                    jsonb_build_object('gate', v_gate))
                    WHEN p_refusals[i.ordinal] IS NOT NULL
                    THEN iu_core.fn_iu_event_decide(i, p_refusals[i.ordinal] ->> 'code',
                                                    p_refusals[i.ordinal] - 'code')
                    ELSE i END ORDER BY i.ordinal)
      INTO items
      FROM unnest(p_items) AS i;
END
$$;
