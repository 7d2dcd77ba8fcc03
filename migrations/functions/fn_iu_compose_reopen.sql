-- grant: owner only
-- Takes back the verdict of dry runs that stand behind an item which has newly composed their
-- instance: sent one after the other they would have found it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_reopen(p_items iu_core.iu_compose_item[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_items iu_core.iu_compose_item[];
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(p_items) AS i
                    WHERE i.emit_mode = 'dry_run' AND i.status = 'ok') THEN
        RETURN p_items;
    END IF;
    SELECT array_agg(
               CASE WHEN i.is_behind THEN iu_core.fn_iu_compose_decide(i.item, NULL, NULL)
                    ELSE i.item END
               ORDER BY (i.item).ordinal)
      INTO v_items
      FROM (SELECT u AS item,
                   u.emit_mode = 'dry_run' AND u.status = 'ok' AND u.ordinal > min(u.ordinal)
                       FILTER (WHERE u.claimed) OVER (PARTITION BY u.instance_id) AS is_behind
              FROM unnest(p_items) AS u) AS i;
    RETURN v_items;
END
$$;
