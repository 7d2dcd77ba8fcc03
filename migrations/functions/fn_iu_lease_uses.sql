-- grant: owner only
-- How many uses the limited leases of a gate have left for an actor at a time. p_leases narrows it
-- to the leases that the call has locked; NULL looks at all, which pays for nothing.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_lease_uses(
    p_gate_key text, p_actor text, p_leases uuid[], p_at timestamptz)
RETURNS bigint
LANGUAGE sql VOLATILE
AS $$
    SELECT coalesce(sum(l.uses_left), 0)
      FROM iu_core.iu_gate_lease AS l
      JOIN iu_core.iu_core_config AS c ON c.config_key = l.gate_key AND c.lease_epoch = l.epoch
     WHERE l.gate_key = p_gate_key
       AND l.revoked_at IS NULL
       AND l.expires_at > p_at
       AND l.uses_limit IS NOT NULL
       AND (p_leases IS NULL OR l.lease_id = ANY (p_leases))
       AND (l.actor IS NULL OR l.actor = p_actor)
$$;
