-- Refuses while it would destroy rows, also those that are committed while it waits for a lock.
DO $$
DECLARE
    v_table text;
    v_has_rows boolean;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['event_outbox']
    LOOP
        -- Before the look: whoever is writing commits first, and nobody writes after it.
        EXECUTE format('LOCK TABLE iu_core.%I IN ACCESS EXCLUSIVE MODE', v_table);
        EXECUTE format('SELECT EXISTS (SELECT FROM iu_core.%I)', v_table) INTO v_has_rows;
        IF v_has_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'PF409',
                MESSAGE = format('iu_core.%s still has rows', v_table),
                HINT = 'Back the database up and empty the table first, if its rows may really go.';
        END IF;
    END LOOP;

    -- Rows that were there from the first may go as they were made, and not as they are since.
    LOCK TABLE iu_core.event_type_registry IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (
        SELECT t.event_type, t.delivery_lane, t.domain, t.description
          FROM iu_core.event_type_registry AS t
        EXCEPT
        VALUES ('iu.template.instance_auto_composed', 'delayed', 'iu', 'an event composed an instance'),
               ('iu.template.instance_rolled_back', 'delayed', 'iu', 'an instance was rolled back')
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'PF409',
            MESSAGE = 'iu_core.event_type_registry has rows that were changed or added',
            HINT = 'Back the database up and make them what they were at first, if they may really go.';
    END IF;
END
$$;

DROP TABLE iu_core.event_outbox;
DROP TABLE iu_core.event_type_registry;
