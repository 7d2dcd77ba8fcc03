-- Refuses while it would destroy what operators decided, also what is committed while it waits for a lock.
DO $$
DECLARE
    v_was_changed boolean;
BEGIN
    -- Before the look: whoever is writing commits first, and nobody writes after it.
    LOCK TABLE iu_core.iu_core_retention_policy IN ACCESS EXCLUSIVE MODE;
    SELECT EXISTS (SELECT FROM iu_core.iu_core_retention_policy AS p
                    WHERE p.revision > 1 OR NOT p.enabled
                       OR p.keep_days <> CASE p.target WHEN 'command_record' THEN 730
                                                       WHEN 'delivery_attempts' THEN 90
                                                       ELSE 365 END)
      INTO v_was_changed;
    IF v_was_changed THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.iu_core_retention_policy is not what it was made as',
            HINT = 'Back the database up and set the policies and their revisions back first, if they may really go.';
    END IF;
END
$$;

DROP TABLE iu_core.iu_core_retention_policy;
