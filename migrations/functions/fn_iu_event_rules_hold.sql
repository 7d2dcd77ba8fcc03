-- grant: owner only
-- Whether the rules that events were judged by (an edition of types, routes and settings) are those
-- in force. Where they are, they stay so until the transaction ends: whoever changes them waits.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_rules_hold(p_revision bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM iu_core.fn_iu_lock('event_rules', ARRAY['event_rules'], true);
    -- A later statement: this reads what was committed before the lock was had.
    RETURN EXISTS (SELECT FROM iu_core.iu_event_rules AS r
                    WHERE r.revision = p_revision);
END
$$;
