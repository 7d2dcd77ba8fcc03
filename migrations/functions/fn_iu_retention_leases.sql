-- grant: owner only
-- The leases that may be deleted, the oldest first, so many at most: that were over before p_cutoff, used
-- up, revoked, ended or not, and whose taking stands in their gate's history, which is kept.
--   p_until_at, p_until_id  the last one that a plan names; NULL: it is being planned
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_leases(
    p_cutoff timestamptz, p_until_at timestamptz, p_until_id uuid, p_most integer)
RETURNS TABLE (id uuid, at timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT l.lease_id, l.expires_at
      FROM iu_core.iu_gate_lease AS l
     WHERE l.expires_at < p_cutoff
       AND (p_until_at IS NULL OR (l.expires_at, l.lease_id) <= (p_until_at, p_until_id))
       AND EXISTS (SELECT FROM iu_core.iu_core_config_history AS h
                    WHERE h.occurred_at = l.opened_at
                      AND h.config_key = l.gate_key
                      AND h.action = 'lease'
                      AND h.details ->> 'lease_id' = l.lease_id::text)
     ORDER BY l.expires_at, l.lease_id
     LIMIT p_most
$$;
