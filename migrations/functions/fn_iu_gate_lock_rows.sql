-- grant: owner only
-- Locks the gates' rows, sorted, until the transaction ends: what opens, leases, closes or seals a
-- gate goes one after the other, and a lease can't be taken in an epoch that a closing is ending.
-- Whoever a gate guards only reads these rows and is never waited for.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_lock_rows(p_gate_keys text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM FROM iu_core.iu_core_config AS c
      WHERE c.config_key = ANY (p_gate_keys) AND c.is_write_gate
      ORDER BY c.config_key
        FOR NO KEY UPDATE;
END
$$;
