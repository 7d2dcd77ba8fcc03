-- grant: owner only
-- How gates stand, as probes look at them. is_left: it is the probes' actor that has closed it, or
-- leased it, which has to have been undone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_probe_gates(p_keys text[], p_actor text)
RETURNS TABLE (gate text, state text, epoch bigint, is_sealed boolean, is_left boolean)
LANGUAGE sql VOLATILE
AS $$
    SELECT g.gate_key, g.state, c.lease_epoch, g.sealed_at IS NOT NULL,
           c.updated_by = p_actor OR EXISTS (
               SELECT FROM iu_core.iu_gate_lease AS l
                WHERE l.gate_key = g.gate_key AND l.opened_by = p_actor)
      FROM iu_core.v_iu_gate AS g
      JOIN iu_core.iu_core_config AS c ON c.config_key = g.gate_key
     WHERE g.gate_key = ANY (p_keys)
$$;
