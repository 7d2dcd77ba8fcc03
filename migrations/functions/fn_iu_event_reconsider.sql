-- grant: owner only
-- Judges again what was refused under the locks: while they were waited for, somebody else may have
-- stored the same event, and one that is known is answered before gates and rules are looked at. It
-- must be a later statement than the locks. Of what is still not known the refusal stays.
--   p_before  the events as they were before the locks
--   p_after   the same, decided under them
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_reconsider(
    p_before iu_core.iu_event_item[], p_after iu_core.iu_event_item[], p_contents text[])
RETURNS iu_core.iu_event_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_again iu_core.iu_event_item[];
BEGIN
    v_again := ARRAY(SELECT CASE WHEN b.status IS NULL AND a.status IS NOT NULL THEN b ELSE a END
                       FROM unnest(p_before) AS b
                       JOIN unnest(p_after) AS a ON a.ordinal = b.ordinal
                      ORDER BY b.ordinal);
    IF v_again = p_after THEN
        RETURN p_after;
    END IF;
    v_again := iu_core.fn_iu_event_judge(v_again, p_contents);
    RETURN ARRAY(SELECT CASE WHEN j.status IS NULL THEN a ELSE j END
                   FROM unnest(v_again) AS j
                   JOIN unnest(p_after) AS a ON a.ordinal = j.ordinal
                  ORDER BY j.ordinal);
END
$$;
