-- grant: owner only
-- Whose instances these are: the distinct actors, sorted.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_actors(p_ids uuid[])
RETURNS text[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_actors text[];
BEGIN
    SELECT array_agg(DISTINCT l.actor ORDER BY l.actor) INTO v_actors
      FROM iu_core.iu_auto_instantiate_event_log AS l
     WHERE l.instance_collection_id = ANY (p_ids);
    RETURN coalesce(v_actors, '{}');
END
$$;
