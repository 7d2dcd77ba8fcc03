-- grant: owner only
-- Records the refused and the dry items, spends the uses of limited leases, and counts: the last
-- writes of a composing transaction.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_record(p_items iu_core.iu_compose_item[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_kind      record;
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
               bool_or(i.emit_mode = 'dry_run' OR i.status NOT IN ('ok', 'idempotent_replay')) AS tells,
               bool_or(i.claimed AND cardinality(i.lease_ids) > 0) AS pays
          FROM unnest(p_items) AS i
         GROUP BY i.template_id, i.emit_mode
    LOOP
        v_tells := v_tells OR v_kind.tells;
        v_pays := v_pays OR v_kind.pays;
        IF v_kind.items > 0 THEN
            v_templates := v_templates || v_kind.template_id;
            v_modes := v_modes || v_kind.emit_mode;
            v_counts := v_counts || v_kind.items;
        END IF;
    END LOOP;
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
