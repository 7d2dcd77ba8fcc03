-- grant: iu_app
-- Keeps what every surface is now: {"status": "ok", "snapshot_id"}. All of it is of one moment, since
-- one statement reads it, whatever is composed meanwhile; and it keeps nobody waiting. It costs a look
-- at every row: give it the time of a bulk.
--   p_outside  surfaces that are not in this database, as the service found them:
--              [{surface, row_count, digest}]
-- Refusals: invalid_input.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_snapshot_take(
    p_outside jsonb, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_refused  jsonb;
    v_now      timestamptz;
    v_surfaces jsonb;
    v_id       uuid;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input('take_snapshot',
        ARRAY['/reason', '/actor'],
        ARRAY['should be one line of 1 to 500 characters', 'should be an actor''s tag'],
        ARRAY[iu_core.fn_iu_is_line(p_reason, 500), iu_core.fn_iu_is_actor(p_actor)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    v_now := iu_core.fn_iu_now();
    -- EXECUTE, and not in the INSERT: neither an assignment nor what writes is worked on in parallel.
    EXECUTE 'SELECT jsonb_agg(to_jsonb(s)) FROM iu_core.v_iu_surface AS s' INTO STRICT v_surfaces;
    INSERT INTO iu_core.iu_snapshot AS s
           (taken_at, request_id, actor, principal, reason, schema_revision)
    SELECT v_now, p_request_id, p_actor, p_principal, p_reason, r.version_num
      FROM iu_core.iu_schema_revision AS r
    RETURNING s.snapshot_id INTO STRICT v_id;
    INSERT INTO iu_core.iu_snapshot_surface (snapshot_id, surface, row_count, digest)
    SELECT v_id, s.surface, s.row_count, s.digest
      FROM jsonb_to_recordset(v_surfaces || p_outside) AS s(surface text, row_count bigint, digest text);
    RETURN iu_core.fn_iu_done(
        'take_snapshot', jsonb_build_object('status', 'ok', 'snapshot_id', v_id),
        p_actor, p_principal, p_request_id, v_id,
        p_about => jsonb_build_object('reason', p_reason));
END
$$;
