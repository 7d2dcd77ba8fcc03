-- grant: owner only
-- Judges again what was refused under the locks: while they were waited for, somebody else may have
-- composed under the same key, and a known key is answered before gates and templates are looked
-- at. It must be a later statement than the locks. Of what was refused and is still not known the
-- refusal stays.
--   p_before  the items as they were before the locks
--   p_after   the same items, decided under them
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_reconsider(
    p_before iu_core.iu_compose_item[], p_after iu_core.iu_compose_item[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_again iu_core.iu_compose_item[];
    v_items iu_core.iu_compose_item[];
BEGIN
    SELECT array_agg(b ORDER BY b.ordinal) INTO v_again
      FROM unnest(p_before) AS b
      JOIN unnest(p_after) AS a ON a.ordinal = b.ordinal
     WHERE b.status IS NULL AND a.status <> 'ok';
    IF v_again IS NULL THEN
        RETURN p_after;
    END IF;
    v_again := iu_core.fn_iu_compose_judge(v_again);

    SELECT array_agg(CASE WHEN j.status IS NULL THEN a.item ELSE j END ORDER BY (a.item).ordinal)
      INTO v_items
      FROM (SELECT u AS item FROM unnest(p_after) AS u) AS a
      LEFT JOIN unnest(v_again) AS j ON j.ordinal = (a.item).ordinal;
    RETURN v_items;
END
$$;
