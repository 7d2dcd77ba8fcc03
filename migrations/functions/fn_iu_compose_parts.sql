-- grant: owner only
-- What a composing call did, by actor and template, in this order:
--   first      the lowest ordinal; principal: whose all of it is; NULL: there are several
--   pays       closed gates admitted some of it by leases
--   items      how many there were
--   told       how many are recorded one by one, as refused or only tried
--   tried      how many dry runs the template's counters count
--   composed   how many were; what is left was replayed
--   instances  what was composed, as it is digested (fn_iu_template_bytes); NULL: nothing
-- A call of one item is told without a query: that is a thirtieth of all it costs.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_parts(p_items iu_core.iu_compose_item[])
RETURNS iu_core.iu_compose_part[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_item iu_core.iu_compose_item;
BEGIN
    IF cardinality(p_items) = 1 THEN
        v_item := p_items[1];
        RETURN ARRAY[ROW(
            v_item.actor, v_item.template_id, 1, v_item.principal,
            v_item.claimed AND cardinality(v_item.lease_ids) > 0, 1,
            (v_item.emit_mode = 'dry_run'
                OR v_item.status NOT IN ('ok', 'idempotent_replay'))::integer,
            (v_item.template_id IS NOT NULL
                AND iu_core.fn_iu_compose_would_be(v_item.emit_mode, v_item.status) IS NOT NULL)::integer,
            v_item.claimed::integer,
            CASE WHEN v_item.claimed
                 THEN iu_core.fn_iu_template_bytes(v_item.template_id, v_item.composition_digest)
                      || iu_core.fn_iu_instance_bytes(v_item.instance_id, v_item.data_digest) END
        )::iu_core.iu_compose_part];
    END IF;
    RETURN ARRAY(
        SELECT ROW(
                   i.actor, i.template_id, min(i.ordinal),
                   CASE WHEN min(i.principal) = max(i.principal) THEN min(i.principal) END,
                   bool_or(i.claimed AND cardinality(i.lease_ids) > 0), count(*),
                   count(*) FILTER (WHERE i.emit_mode = 'dry_run'
                                       OR i.status NOT IN ('ok', 'idempotent_replay')),
                   count(*) FILTER (WHERE i.template_id IS NOT NULL
                       AND iu_core.fn_iu_compose_would_be(i.emit_mode, i.status) IS NOT NULL),
                   count(*) FILTER (WHERE i.claimed),
                   iu_core.fn_iu_template_bytes(
                       i.template_id, min(i.composition_digest) FILTER (WHERE i.claimed))
                   || string_agg(iu_core.fn_iu_instance_bytes(i.instance_id, i.data_digest), ''
                                 ORDER BY i.instance_id) FILTER (WHERE i.claimed)
               )::iu_core.iu_compose_part
          FROM unnest(p_items) AS i
         GROUP BY i.actor, i.template_id
         ORDER BY i.actor, i.template_id);
END
$$;
