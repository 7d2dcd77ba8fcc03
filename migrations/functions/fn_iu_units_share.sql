-- grant: owner only
-- Locks the rows of units, sorted, until the transaction ends: a step of their life that is under
-- way is waited for, and none begins meanwhile. Read their life in a LATER statement. Digests that
-- no unit has are passed over.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_units_share(p_digests text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM FROM iu_core.information_unit AS u
      WHERE u.content_digest = ANY (p_digests) ORDER BY u.unit_id FOR SHARE;
END
$$;
