-- grant: owner only
-- Asks C1 to C10 (fn_iu_probe_steps), undoes all of it, and answers an array of {"probe", "given", "gates",
-- "expected", "actual"}. actual are the members of the answer that were expected, and what else says
-- why it is another one.
-- Locks as composing does, shared: gates, the actor, outbound routes; and then, for the last two, the
-- gates' rows, under which nothing is left to be waited for. Holds none of them afterwards. Raises
-- 40001, 40P01 and 55P03.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_probe_try(p_keys text[], p_actor text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_made   record;
    v_step   record;
    v_gates  text;
    v_answer jsonb;
    v_asked  jsonb := '[]';
BEGIN
    v_made := iu_core.fn_iu_probe_template(p_actor);
    FOR v_step IN
        SELECT * FROM iu_core.fn_iu_probe_steps(
                          v_made.template_id, v_made.plain_id, gen_random_uuid()) AS s
         ORDER BY s.place
    LOOP
        IF v_step.gates IS DISTINCT FROM v_gates THEN
            PERFORM iu_core.fn_iu_probe_gates_set(p_keys, v_step.gates, p_actor);
            v_gates := v_step.gates;
        END IF;
        v_answer := iu_core.fn_iu_probe_ask(
            v_step.event_id, v_step.template_id, p_actor, v_step.emit_mode);
        v_asked := v_asked || jsonb_build_object(
            'probe', v_step.probe, 'given', v_step.given, 'gates', v_step.gates,
            'expected', v_step.expected,
            'actual', (SELECT jsonb_object_agg(m.key, m.value)
                         FROM jsonb_each(v_answer) AS m
                        WHERE v_step.expected ? m.key OR m.key IN ('gate', 'sqlstate')));
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'PF003', MESSAGE = 'undo the probes';
EXCEPTION WHEN SQLSTATE 'PF003' THEN
    RETURN v_asked;
END
$$;
