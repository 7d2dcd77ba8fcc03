-- grant: owner only
-- Takes one step of a unit's life and logs it. The caller holds the unit's row lock and has decided
-- that the step may be taken.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_unit_step(
    p_unit_id uuid, p_from_life text, p_to_life text, p_reason text,
    p_actor text, p_request_id uuid, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    UPDATE iu_core.information_unit AS u SET life = p_to_life WHERE u.unit_id = p_unit_id;
    INSERT INTO iu_core.iu_lifecycle_log
           (unit_id, from_life, to_life, actor, reason, request_id, occurred_at)
    VALUES (p_unit_id, p_from_life, p_to_life, p_actor, coalesce(p_reason, ''), p_request_id, p_now);
END
$$;
