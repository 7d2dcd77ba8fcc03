-- grant: owner only
-- Records the runs and the refused and the dry items, spends the uses of limited leases, and counts:
-- the last writes of a composing transaction. Arguments as in fn_iu_compose_run.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_record(
    p_items iu_core.iu_compose_item[], p_command text, p_operation_id uuid, p_batch_id uuid,
    p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_kind      record;
    v_ran       boolean := false;
    v_tells     boolean := false;
    v_pays      boolean := false;
    v_templates uuid[] := '{}';
    v_modes     text[] := '{}';
    v_counts    bigint[] := '{}';
BEGIN
    FOR v_kind IN
        SELECT i.template_id, i.emit_mode,
               count(*) FILTER (WHERE i.claimed OR (
                   i.template_id IS NOT NULL
                   AND iu_core.fn_iu_compose_would_be(i.emit_mode, i.status) IS NOT NULL)) AS items,
               bool_or(i.emit_mode = 'live' AND i.status IN ('ok', 'idempotent_replay')) AS ran,
               bool_or(i.emit_mode = 'dry_run' OR i.status NOT IN ('ok', 'idempotent_replay')) AS tells,
               bool_or(i.claimed AND cardinality(i.lease_ids) > 0) AS pays
          FROM unnest(p_items) AS i
         GROUP BY i.template_id, i.emit_mode
    LOOP
        v_ran := v_ran OR v_kind.ran;
        v_tells := v_tells OR v_kind.tells;
        v_pays := v_pays OR v_kind.pays;
        IF v_kind.items > 0 THEN
            v_templates := v_templates || v_kind.template_id;
            v_modes := v_modes || v_kind.emit_mode;
            v_counts := v_counts || v_kind.items;
        END IF;
    END LOOP;
    IF v_ran THEN
        PERFORM iu_core.fn_iu_compose_run(
            p_items, v_pays, p_command, p_operation_id, p_batch_id,
            coalesce(p_now, iu_core.fn_iu_fact_time()));
    END IF;
    IF v_tells THEN
        PERFORM iu_core.fn_iu_compose_tell(p_items);
    END IF;
    IF v_pays THEN
        PERFORM iu_core.fn_iu_lease_spend(p_items);
    END IF;
    IF v_templates <> '{}' THEN
        PERFORM iu_core.fn_iu_counter_add(
            v_templates, v_modes, v_counts, array_fill(0::bigint, ARRAY[cardinality(v_counts)]));
    END IF;
END
$$;
