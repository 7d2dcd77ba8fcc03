-- grant: owner only
-- Where the chain goes beyond what may be sealed now, the clock was set back: what has been done since is
-- looked for from an hour before, in the order of its times. The caller holds the lock `audit`.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_audit_rewind(p_due timestamptz)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    -- Who was writing at a time that has not come yet tells nothing.
    UPDATE iu_core.iu_audit_chain AS c
       SET last_at = p_due - interval '1 hour',
           last_record_id = '00000000-0000-0000-0000-000000000000',
           looked_at = NULL, running = NULL
     WHERE c.last_at >= p_due
$$;
