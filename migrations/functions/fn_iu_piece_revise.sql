-- grant: iu_app
-- Makes a unit that supersedes another: {"status": "ok", "unit_id", "supersedes_unit_id"}. The new
-- unit has the life that the old one had; the old one's step to superseded is logged. Templates
-- keep the old unit until a new version of theirs takes the new one in.
--   p_media_type, p_title, p_body, p_axes   NULL: as the old unit has it
-- The old unit's row lock lets only one of several revisions through; the others find it superseded.
-- Refusals: invalid_input, piece_write_gate_closed, unit_not_found, operation_state, no_change (the
-- content is the old one's), already_exists (it is another unit's; key is its content digest).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_revise(
    p_unit_id uuid, p_media_type text, p_title text, p_body text, p_axes jsonb, p_reason text,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_command    constant text := 'revise_piece';
    v_gate       constant text := 'iu_core.piece_write_enabled';
    v_errors     jsonb := iu_core.fn_iu_content_errors(
        '', coalesce(p_media_type, 'text/plain'), coalesce(p_title, ''), coalesce(p_body, ''), p_axes);
    v_closed     text;
    v_leases     uuid[];
    v_now        timestamptz;
    v_old        iu_core.information_unit;
    v_media_type text;
    v_title      text;
    v_body       text;
    v_digest     text;
    v_new        record;
    v_code       text;
    v_details    jsonb;
BEGIN
    IF v_errors <> '[]'::jsonb THEN
        RETURN iu_core.fn_iu_refuse(v_command, 'invalid_input',
            jsonb_build_object('errors', v_errors), p_actor, p_principal, p_request_id);
    END IF;
    SELECT a.closed, a.lease_ids INTO v_closed, v_leases
      FROM iu_core.fn_iu_gate_admit(ARRAY[v_gate], p_actor) AS a;
    IF v_closed IS NOT NULL THEN
        RETURN iu_core.fn_iu_refuse(v_command, iu_core.fn_iu_gate_code(v_gate),
            jsonb_build_object('gate', v_gate), p_actor, p_principal, p_request_id);
    END IF;

    SELECT u.* INTO v_old FROM iu_core.information_unit AS u
     WHERE u.unit_id = p_unit_id FOR NO KEY UPDATE;
    v_now := iu_core.fn_iu_now();
    v_media_type := coalesce(iu_core.fn_iu_media_type(p_media_type), v_old.media_type);
    v_title := coalesce(p_title, v_old.title);
    v_body := coalesce(p_body, v_old.body);
    v_digest := iu_core.fn_iu_content_digest(v_media_type, v_title, v_body);
    CASE
        WHEN v_old.unit_id IS NULL THEN
            v_code := 'unit_not_found';
            v_details := jsonb_build_object('units', jsonb_build_array(p_unit_id));
        WHEN v_old.life NOT IN ('draft', 'active') THEN
            v_code := 'operation_state';
            v_details := jsonb_build_object(
                'state', v_old.life, 'allowed', iu_core.fn_iu_unit_lives_after(v_old.life));
        WHEN v_digest = v_old.content_digest THEN
            v_code := 'no_change';
        ELSE
            SELECT c.claimed_id, c.is_new INTO v_new
              FROM iu_core.fn_iu_unit_claim(
                       v_media_type, v_title, v_body, v_old.life,
                       coalesce(p_axes, iu_core.fn_iu_unit_axes(p_unit_id)), p_unit_id,
                       p_actor, v_now) AS c;
            IF v_new.is_new THEN
                PERFORM iu_core.fn_iu_unit_step(p_unit_id, v_old.life, 'superseded', p_reason,
                                                p_actor, p_request_id, v_now);
                RETURN iu_core.fn_iu_done(
                    v_command, jsonb_build_object(
                        'status', 'ok', 'unit_id', v_new.claimed_id,
                        'supersedes_unit_id', p_unit_id, 'lease_ids', v_leases),
                    p_actor, p_principal, p_request_id, v_new.claimed_id,
                    p_about => jsonb_build_object('reason', p_reason));
            END IF;
            v_code := 'already_exists';
            v_details := jsonb_build_object('key', v_digest);
    END CASE;
    RETURN iu_core.fn_iu_refuse(v_command, v_code, v_details, p_actor, p_principal, p_request_id);
END
$$;
