-- grant: owner only
-- Records what a composing call did, one run for each actor, and its refused and dry items; spends the
-- uses of limited leases, and counts: the last writes of a composing transaction.
--   p_command   what the runs are called, and what is said of refused and dry items
--   p_window    whether the call had its own gate window
--   p_batch_id  the call: the instances have it in their event-log rows
--   p_now       when they were composed; NULL: none was
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_record(
    p_items iu_core.iu_compose_item[], p_command text, p_operation_id uuid, p_batch_id uuid,
    p_now timestamptz, p_window boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_part      iu_core.iu_compose_part;
    v_run       iu_core.iu_compose_part;
    v_now       timestamptz := p_now;
    v_tells     boolean := false;
    v_pays      boolean := false;
    v_templates uuid[] := '{}';
    v_modes     text[] := '{}';
    v_counts    bigint[] := '{}';
BEGIN
    FOREACH v_part IN ARRAY iu_core.fn_iu_compose_parts(p_items) LOOP
        v_tells := v_tells OR v_part.told > 0;
        v_pays := v_pays OR v_part.pays;
        IF v_part.composed > 0 THEN
            v_templates := v_templates || v_part.template_id;
            v_modes := v_modes || 'live'::text;
            v_counts := v_counts || v_part.composed;
        END IF;
        IF v_part.tried > 0 THEN
            v_templates := v_templates || v_part.template_id;
            v_modes := v_modes || 'dry_run'::text;
            v_counts := v_counts || v_part.tried;
        END IF;
        CONTINUE WHEN v_part.told = v_part.items;
        v_now := coalesce(v_now, iu_core.fn_iu_fact_time());
        IF v_run.actor = v_part.actor THEN
            v_run := iu_core.fn_iu_compose_sum(v_run, v_part);
        ELSE
            IF v_run.actor IS NOT NULL THEN
                PERFORM iu_core.fn_iu_compose_run(
                    p_items, v_run, p_command, p_operation_id, p_batch_id, v_now, p_window);
            END IF;
            v_run := v_part;
        END IF;
    END LOOP;
    IF v_run.actor IS NOT NULL THEN
        PERFORM iu_core.fn_iu_compose_run(
            p_items, v_run, p_command, p_operation_id, p_batch_id, v_now, p_window);
    END IF;
    IF v_tells THEN
        PERFORM iu_core.fn_iu_compose_tell(p_items, p_command);
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
