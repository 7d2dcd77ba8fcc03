-- grant: owner only
-- Takes one use from each limited lease that a newly composed instance was admitted by; the others
-- are only noted there.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_lease_spend(p_items iu_core.iu_compose_item[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    UPDATE iu_core.iu_gate_lease AS l
       SET uses_left = l.uses_left - s.uses
      FROM (SELECT p.lease_id, count(*)::integer AS uses
              FROM unnest(p_items) AS i, unnest(i.lease_ids) AS p(lease_id)
             WHERE i.claimed
             GROUP BY p.lease_id) AS s
     WHERE l.lease_id = s.lease_id AND l.uses_left IS NOT NULL;
END
$$;
