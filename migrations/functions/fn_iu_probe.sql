-- grant: iu_app
-- The twelve probes of the contract, C1 to C12 (1-requirements), on this database as it is now. What
-- they write is undone before this answers, whatever becomes of the caller's transaction: no row stays,
-- no sequence has moved on, and nobody else has seen any of it.
-- One row for each: what was given, the members that were expected and those that came, and
--   holds    they are the same
--   differs  they are not
--   not_run  a gate did not open to the probe, for a reason that note tells: it is sealed, or
--            somebody closed it meanwhile
-- What the actor iu-core-probe has composed, or done to a gate, is taken for what a probe has left.
-- Locks: as fn_iu_probe_try.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_probe()
RETURNS TABLE (
    probe text, given text, expected jsonb, actual jsonb, verdict text, note text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_actor  constant text := 'iu-core-probe';
    v_keys   constant text[] := '{iu_core.auto_instantiate_enabled, iu_core.composer_enabled}';
    v_before jsonb;
    v_asked  jsonb;
    v_rows   bigint;
BEGIN
    SELECT jsonb_agg(to_jsonb(g)) INTO v_before FROM iu_core.fn_iu_probe_gates(v_keys, v_actor) AS g;
    v_asked := iu_core.fn_iu_probe_try(v_keys, v_actor);
    SELECT count(*) INTO v_rows
      FROM iu_core.iu_auto_instantiate_event_log AS l WHERE l.actor = v_actor;

    RETURN QUERY
    WITH gates AS MATERIALIZED (
        SELECT a.gate, a.is_left, a.state, b.state AS state_before,
               b.is_sealed OR a.is_sealed AS is_sealed, b.epoch <> a.epoch AS is_closed_since
          FROM iu_core.fn_iu_probe_gates(v_keys, v_actor) AS a
          JOIN jsonb_to_recordset(v_before)
               AS b(gate text, state text, epoch bigint, is_sealed boolean) ON b.gate = a.gate
    ), told AS (
        SELECT s.probe, s.given, s.expected, s.actual,
               CASE WHEN s.gates = 'open' AND s.actual <> s.expected
                         -- C10 looks for what C9 was to compose.
                         AND (s.actual ->> 'status' LIKE '%\_gate\_closed' OR s.probe = 'C10')
                    THEN (SELECT CASE WHEN bool_or(g.is_sealed)
                                      THEN 'a sealed gate opens to nobody, and not to a probe'
                                      WHEN bool_or(g.is_closed_since)
                                      THEN 'somebody closed a gate meanwhile: probe again' END
                            FROM gates AS g) END AS hindered_by,
               NULL::text AS remark
          FROM jsonb_to_recordset(v_asked)
               AS s(probe text, given text, gates text, expected jsonb, actual jsonb)
         UNION ALL
        SELECT 'C11', 'afterwards, log rows of the probes', '{"log_rows": 0}',
               jsonb_build_object('log_rows', v_rows), NULL, NULL
         UNION ALL
        -- Nobody can expect a state that somebody else has changed meanwhile.
        SELECT 'C12', 'afterwards, both gates',
               jsonb_object_agg(g.gate, CASE WHEN g.is_left THEN g.state_before ELSE g.state END),
               jsonb_object_agg(g.gate, g.state || CASE WHEN g.is_left THEN ', left by a probe' ELSE '' END),
               NULL,
               CASE WHEN bool_or(g.state <> g.state_before AND NOT g.is_left)
                    THEN 'a gate changed meanwhile, and not by the probes' END
          FROM gates AS g
    )
    SELECT t.probe, t.given, t.expected, t.actual,
           CASE WHEN t.actual = t.expected THEN 'holds'
                WHEN t.hindered_by IS NULL THEN 'differs'
                ELSE 'not_run' END,
           coalesce(t.hindered_by, t.remark)
      FROM told AS t
     ORDER BY substr(t.probe, 2)::integer;
END
$$;
