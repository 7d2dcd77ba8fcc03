-- grant: owner only
-- One row per event, in ordinal order: its status, and for one that is stored what came of it. A
-- known event is answered as it was, with what has come of it since.
--   results      [{"route_id", "route_key", "outcome", "code", "instance_collection_id",
--                "rolled_back_at", "template", "suffix", "fired_at", "firings", "details"}], by
--                route_key
--   not_matched  as it stands in iu_event
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_answer(p_items iu_core.iu_event_item[])
RETURNS TABLE (
    ordinal integer, status text, event_id uuid, received_at timestamptz, is_inert boolean,
    results jsonb, not_matched json, details jsonb)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_known uuid[] := ARRAY(
        SELECT i.event_id FROM unnest(p_items) AS i WHERE i.status = 'known');
    v_gone  jsonb;
BEGIN
    IF v_known <> '{}' THEN
        -- Retention has deleted one since it was found to be known: it is to be taken in anew.
        IF (SELECT count(*) FROM iu_core.iu_event AS e WHERE e.event_id = ANY (v_known))
           < (SELECT count(DISTINCT k.id) FROM unnest(v_known) AS k(id)) THEN
            RAISE EXCEPTION USING ERRCODE = '40001',
                MESSAGE = 'an event was deleted while it was being answered';
        END IF;
        SELECT iu_core.fn_iu_rolled_back(array_agg(r.instance_collection_id)) INTO v_gone
          FROM iu_core.iu_event_result AS r
         WHERE r.event_id = ANY (v_known) AND r.instance_collection_id IS NOT NULL;
    END IF;
    RETURN QUERY
    SELECT i.ordinal, i.status, i.event_id, e.received_at, e.is_inert,
           coalesce(r.results, '[]'), e.not_matched, coalesce(i.details, '{}')
      FROM unnest(p_items) AS i
      LEFT JOIN iu_core.iu_event AS e
             ON e.event_id = i.event_id AND i.status IN ('accepted', 'known')
      LEFT JOIN LATERAL (
           SELECT jsonb_agg(jsonb_build_object(
                      'route_id', s.route_id, 'route_key', t.route_key, 'outcome', s.outcome,
                      'code', s.code, 'instance_collection_id', s.instance_collection_id,
                      'rolled_back_at', v_gone -> s.instance_collection_id::text,
                      'template', s.template, 'suffix', s.suffix, 'fired_at', s.fired_at,
                      'firings', s.firings, 'details', s.details) ORDER BY t.route_key) AS results
             FROM iu_core.iu_event_result AS s
             JOIN iu_core.iu_sql_event_route AS t ON t.route_id = s.route_id
            WHERE s.event_id = e.event_id) AS r ON true
     ORDER BY i.ordinal;
END
$$;
