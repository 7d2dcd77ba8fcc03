-- grant: iu_app
-- Proves what the boundary says, by trying: writes a message of each registered type (of a hundred at
-- most, those whose lane is live first), about instances that are not there, gives them to the routes,
-- claims what may be sent first, and undoes all of it.
-- Answers {"attempts", "internal_only_holds"}: how many attempts would have begun with them,
-- one of each route at most.
-- Locks: as fn_iu_delivery_claim.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_boundary_probe()
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now      timestamptz := iu_core.fn_iu_now();
    v_type     text;
    v_subject  uuid;
    v_subjects uuid[] := '{}';
    v_attempts bigint;
BEGIN
    -- Before the lock of the routes, as everywhere.
    PERFORM iu_core.fn_iu_lock('gate', ARRAY['iu_core.delivery_enabled'], true);
    BEGIN
        FOR v_type IN
            SELECT t.event_type FROM iu_core.event_type_registry AS t
             ORDER BY t.delivery_lane = 'live' DESC, t.event_type
             LIMIT 100
        LOOP
            v_subject := gen_random_uuid();
            v_subjects := v_subjects || v_subject;
            INSERT INTO iu_core.event_outbox
                   (subject_id, created_at, sequence, domain, event_type, payload)
            VALUES (v_subject, v_now, 1, 'iu', v_type, '{}');
            PERFORM iu_core.fn_iu_outbox_fan_out(ARRAY[v_subject], v_type, v_now);
        END LOOP;
        -- Before all that waits: so no other message is touched.
        UPDATE iu_core.iu_route_delivery AS d
           SET due_at = '-infinity'
         WHERE d.subject_id = ANY (v_subjects);
        PERFORM iu_core.fn_iu_delivery_claim('iu-core-probe', '{}', '{}', 1, 1000, 60);
        SELECT count(*) INTO v_attempts
          FROM iu_core.iu_route_attempt AS a WHERE a.subject_id = ANY (v_subjects);
        RAISE EXCEPTION USING ERRCODE = 'PF003', MESSAGE = 'undo the probe';
    EXCEPTION WHEN SQLSTATE 'PF003' THEN
        NULL;
    END;
    RETURN jsonb_build_object(
        'attempts', v_attempts,
        'internal_only_holds', (iu_core.fn_iu_boundary() -> 'internal_only_holds')::boolean);
END
$$;
