-- grant: iu_app
-- Which of these instances are gone because they were rolled back, and when, as an object; the last
-- time of one that was composed again in between. Those that are there now are left out.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rolled_back(p_instance_ids uuid[])
RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
    SELECT coalesce(jsonb_object_agg(g.id, g.at), '{}')
      FROM (SELECT t.instance_collection_id AS id, max(t.rolled_back_at) AS at
              FROM iu_core.iu_instance_tombstone AS t
             WHERE t.instance_collection_id = ANY (p_instance_ids)
               AND NOT EXISTS (SELECT FROM iu_core.iu_piece_collection AS c
                                WHERE c.collection_id = t.instance_collection_id)
             GROUP BY t.instance_collection_id) AS g
$$;
