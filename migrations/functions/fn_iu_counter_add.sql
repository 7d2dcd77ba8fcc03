-- grant: owner only
-- Adds to the templates' counters, as the transaction's last writes and in sorted order. The slot
-- comes from the backend, so that two connections rarely wait for each other.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_counter_add(
    p_template_ids uuid[], p_emit_modes text[], p_instances bigint[], p_diverging bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_slot smallint := pg_backend_pid() % 16;
BEGIN
    -- One template, as mostly, needs no summing, which would be a fiftieth of a call of one item.
    IF cardinality(p_template_ids) = 1 THEN
        INSERT INTO iu_core.iu_template_counter AS c
               (counter_id, template_collection_id, emit_mode, slot, instance_count, diverging_count)
        VALUES (md5(p_template_ids[1] || ':' || v_slot)::uuid, p_template_ids[1], p_emit_modes[1],
                v_slot, p_instances[1], p_diverging[1])
            ON CONFLICT (counter_id, emit_mode) DO UPDATE
           SET instance_count  = c.instance_count + excluded.instance_count,
               diverging_count = c.diverging_count + excluded.diverging_count;
        RETURN;
    END IF;
    INSERT INTO iu_core.iu_template_counter AS c
           (counter_id, template_collection_id, emit_mode, slot, instance_count, diverging_count)
    SELECT md5(i.template_id || ':' || v_slot)::uuid, i.template_id, i.emit_mode, v_slot,
           sum(i.instances), sum(i.diverging)
      FROM unnest(p_template_ids, p_emit_modes, p_instances, p_diverging)
           AS i(template_id, emit_mode, instances, diverging)
     GROUP BY i.template_id, i.emit_mode
    HAVING sum(i.instances) <> 0 OR sum(i.diverging) <> 0
     ORDER BY 1, i.emit_mode
        ON CONFLICT (counter_id, emit_mode) DO UPDATE
       SET instance_count  = c.instance_count + excluded.instance_count,
           diverging_count = c.diverging_count + excluded.diverging_count;
END
$$;
