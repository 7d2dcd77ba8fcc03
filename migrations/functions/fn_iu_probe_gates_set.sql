-- grant: owner only
-- Opens the gates to the actor of a probe (p_gates open), or closes them (closed), in what this
-- transaction sees of them. It is never committed, and writes no history, which takes numbers from
-- a sequence. So the functions that are probed look at gates as they always do.
--   open    a lease for this actor: a sealed gate takes none, and closing ends it as any other
--   closed  what closing does: shut, and in its next epoch. Locks the gates' rows, for which openings,
--           leases and closings wait, and no composer
CREATE OR REPLACE FUNCTION iu_core.fn_iu_probe_gates_set(p_keys text[], p_gates text, p_actor text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now constant timestamptz := iu_core.fn_iu_now();
BEGIN
    IF p_gates = 'open' THEN
        INSERT INTO iu_core.iu_gate_lease
               (gate_key, epoch, actor, opened_by, reason, opened_at, expires_at)
        SELECT c.config_key, c.lease_epoch, p_actor, p_actor, 'probe', v_now,
               v_now + interval '1 minute'
          FROM iu_core.iu_core_config AS c
         WHERE c.config_key = ANY (p_keys) AND c.sealed_at IS NULL;
    ELSE
        PERFORM iu_core.fn_iu_gate_lock_rows(p_keys);
        UPDATE iu_core.iu_core_config AS c
           SET config_value = 'false', lease_epoch = c.lease_epoch + 1, updated_by = p_actor
         WHERE c.config_key = ANY (p_keys);
    END IF;
END
$$;
