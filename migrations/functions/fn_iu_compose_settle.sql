-- grant: owner only
-- Decides what the claims have left over: the later ordinals of a claimed key, keys with a
-- tombstone, and dry runs that stand behind an item which has newly composed their instance. Sent
-- one after the other these would have found it, so their verdict is taken back and they are judged
-- against it. Raises 40001 when a tombstone was there at one look and released at the next.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_settle(p_items iu_core.iu_compose_item[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_items iu_core.iu_compose_item[] := p_items;
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(v_items) AS i
                    WHERE i.status IS NULL OR (i.emit_mode = 'dry_run' AND i.status = 'ok')) THEN
        RETURN v_items;
    END IF;
    SELECT array_agg(
               CASE WHEN i.is_behind THEN iu_core.fn_iu_compose_decide(i.item, NULL, NULL)
                    ELSE i.item END
               ORDER BY (i.item).ordinal)
      INTO v_items
      FROM (SELECT u AS item,
                   u.emit_mode = 'dry_run' AND u.status = 'ok' AND u.ordinal > min(u.ordinal)
                       FILTER (WHERE u.claimed) OVER (PARTITION BY u.instance_id) AS is_behind
              FROM unnest(v_items) AS u) AS i;
    v_items := iu_core.fn_iu_compose_judge(v_items);
    IF EXISTS (SELECT FROM unnest(v_items) AS i WHERE i.status IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = '40001',
            MESSAGE = 'a tombstone was released between two looks at it';
    END IF;
    RETURN v_items;
END
$$;
