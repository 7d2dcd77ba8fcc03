-- grant: owner only
-- The types whose messages may leave: those whose lane is live, while the gate of delivery is open;
-- none while it is closed. Holds gate, routes, lanes and settings until the transaction ends: whoever
-- closes or changes one of them is answered when every attempt that was begun before can be seen.
-- Locks: the gate, outbound routes (shared).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_types()
RETURNS text[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF (iu_core.fn_iu_gate_admit(
            ARRAY['iu_core.delivery_enabled'], 'iu-core-delivery')).closed IS NOT NULL THEN
        RETURN '{}';
    END IF;
    PERFORM iu_core.fn_iu_lock('outbound_routes', ARRAY['outbound_routes'], true);
    -- A later statement: it sees what was committed before the lock was had.
    RETURN ARRAY(SELECT t.event_type FROM iu_core.event_type_registry AS t
                  WHERE t.delivery_lane = 'live' ORDER BY t.event_type);
END
$$;
