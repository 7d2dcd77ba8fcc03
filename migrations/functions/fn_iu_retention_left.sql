-- grant: owner only
-- Whether any row that a plan names of a target, and that it has not deleted yet, may still go: not where
-- all that are left are needed again. p_target is what the plan tells of it (fn_iu_retention_target), with
-- at least one row.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_left(p_target jsonb, p_planned_at timestamptz)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_name     constant text := p_target ->> 'target';
    v_cutoff   constant timestamptz := p_target ->> 'cutoff';
    v_until_at constant timestamptz := p_target ->> 'until_at';
    v_until_id constant uuid := p_target ->> 'until_id';
BEGIN
    IF v_name = 'command_record' THEN
        RETURN EXISTS (
            SELECT FROM iu_core.fn_iu_retention_segments(
                            v_cutoff, p_planned_at,
                            ARRAY(SELECT e::bigint
                                    FROM jsonb_array_elements_text(p_target -> 'segments') AS e), 1) AS s
             WHERE s.obstacle IS NULL);
    ELSIF v_name = 'delivery_attempts' THEN
        RETURN EXISTS (SELECT FROM iu_core.fn_iu_retention_attempts(v_cutoff, v_until_at, v_until_id, 1));
    ELSIF v_name = 'stored_events' THEN
        RETURN EXISTS (SELECT FROM iu_core.fn_iu_retention_events(v_cutoff, v_until_at, v_until_id, 1));
    END IF;
    RETURN EXISTS (SELECT FROM iu_core.fn_iu_retention_leases(v_cutoff, v_until_at, v_until_id, 1));
END
$$;
