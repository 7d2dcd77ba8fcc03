-- grant: owner only
-- Whether a gate admits an actor at a time without counting uses: it is open until closed, or
-- under a lease without a limit. Call it under the gate's lock, in a later statement.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_is_open(p_gate_key text, p_actor text, p_at timestamptz)
RETURNS boolean
LANGUAGE sql VOLATILE
AS $$
    SELECT c.config_value = 'true'::jsonb OR EXISTS (
               SELECT FROM iu_core.iu_gate_lease AS l
                WHERE l.gate_key = c.config_key
                  AND l.epoch = c.lease_epoch
                  AND l.revoked_at IS NULL
                  AND l.expires_at > p_at
                  AND l.uses_limit IS NULL
                  AND (l.actor IS NULL OR l.actor = p_actor))
      FROM iu_core.iu_core_config AS c
     WHERE c.config_key = p_gate_key AND c.is_write_gate
$$;
