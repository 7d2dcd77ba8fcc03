-- grant: owner only
-- By what a gate admits an actor at a time, without counting uses: nothing ('{}') where it is open
-- until closed, else one lease without a limit; NULL: it does not. Call it under the gate's lock, in a
-- later statement.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_admission(
    p_gate_key text, p_actor text, p_at timestamptz)
RETURNS uuid[]
LANGUAGE sql VOLATILE
AS $$
    SELECT CASE WHEN c.config_value = 'true'::jsonb THEN '{}'::uuid[] ELSE (
               SELECT ARRAY[l.lease_id]
                 FROM iu_core.iu_gate_lease AS l
                WHERE l.gate_key = c.config_key
                  AND l.epoch = c.lease_epoch
                  AND l.revoked_at IS NULL
                  AND l.expires_at > p_at
                  AND l.uses_limit IS NULL
                  AND (l.actor IS NULL OR l.actor = p_actor)
                LIMIT 1) END
      FROM iu_core.iu_core_config AS c
     WHERE c.config_key = p_gate_key AND c.is_write_gate
$$;
