-- grant: owner only
-- Rows from before this may be sealed where the command record is complete up to p_at. Counted refusals
-- change until their minute is over, so only whole minutes are; and ten seconds later, so that a clock
-- that is set back by less does no harm.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_until(p_at timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT date_trunc('minute', p_at - interval '10 seconds')
$$;
