-- grant: owner only
-- Locks the limited leases that some of these actors would have to pay with, until the transaction
-- ends; answers their ids. Only these may admit anybody afterwards: a lease that was taken since,
-- or that another one spared till now, is not locked, and would be overspent. Actors whom a gate
-- admits anyway pay with nothing, so the ordinary call locks nothing here. Composers under one
-- limited lease go one after the other, which costs them about two thirds of their throughput.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_lease_claim(p_gate_keys text[], p_actors text[])
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now    timestamptz := iu_core.fn_iu_now();
    v_leases uuid[];
BEGIN
    -- The usual answer, cheaply: nothing here is counted.
    IF NOT EXISTS (SELECT FROM iu_core.iu_gate_lease AS l
                    WHERE l.gate_key = ANY (p_gate_keys) AND l.uses_left > 0
                      AND l.revoked_at IS NULL AND l.expires_at > v_now) THEN
        RETURN '{}';
    END IF;
    WITH payable AS (
        SELECT l.lease_id
          FROM iu_core.iu_gate_lease AS l
          JOIN iu_core.iu_core_config AS c ON c.config_key = l.gate_key AND c.lease_epoch = l.epoch
         WHERE l.gate_key = ANY (p_gate_keys)
           AND l.uses_left > 0
           AND l.revoked_at IS NULL
           AND l.expires_at > v_now
           AND EXISTS (SELECT FROM unnest(p_actors) AS a(actor)
                        WHERE (l.actor IS NULL OR l.actor = a.actor)
                          AND NOT iu_core.fn_iu_gate_is_open(l.gate_key, a.actor, v_now))
         ORDER BY l.lease_id
        FOR NO KEY UPDATE OF l)
    SELECT coalesce(array_agg(p.lease_id), '{}') INTO v_leases FROM payable AS p;
    RETURN v_leases;
END
$$;
