-- grant: owner only
-- What a cleanup of this time would delete: {"planned_at", "plan_digest", "targets"}, one of
-- fn_iu_retention_target for each policy, by name. The digest is the SHA-256 of a line with the time and
-- one for each target, with its days (or off), its rows and the digest of their ids: at the same time the
-- same policies and the same rows have the same one.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_plan(p_planned_at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_targets jsonb;
    v_lines   text;
BEGIN
    SELECT jsonb_agg(iu_core.fn_iu_retention_target(p, p_planned_at) ORDER BY p.target)
      INTO v_targets
      FROM iu_core.iu_core_retention_policy AS p;
    SELECT 'planned_at ' || iu_core.fn_iu_utc(p_planned_at) || E'\n'
           || string_agg(concat_ws(
                  ' ', t.value ->> 'target',
                  CASE WHEN (t.value ->> 'enabled')::boolean THEN t.value ->> 'keep_days'
                       ELSE 'off' END,
                  t.value ->> 'rows_eligible', t.value ->> 'ids_sha256') || E'\n', ''
                  ORDER BY t.ordinality)
      INTO v_lines
      FROM jsonb_array_elements(v_targets) WITH ORDINALITY AS t(value, ordinality);
    RETURN jsonb_build_object(
        'planned_at', p_planned_at, 'plan_digest', iu_core.fn_iu_sha256(v_lines),
        'targets', v_targets);
END
$$;
