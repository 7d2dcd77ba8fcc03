-- grant: iu_app, iu_reader
-- When each template's first and last event-composed instance that is there was composed: two looks
-- into an index for each template that has any, however many instances there are.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_live_span()
RETURNS TABLE (template_collection_id uuid, first_at timestamptz, last_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
BEGIN
    FOR template_collection_id IN
        SELECT c.template_collection_id
          FROM iu_core.iu_template_counter AS c
         WHERE c.emit_mode = 'live'
         GROUP BY c.template_collection_id
        HAVING sum(c.instance_count) > 0
    LOOP
        SELECT l.composed_at INTO first_at
          FROM iu_core.iu_collection_template_instance_lineage AS l
          JOIN iu_core.iu_auto_instantiate_event_log AS e
            ON e.instance_collection_id = l.instance_collection_id
         WHERE l.template_collection_id = fn_iu_template_live_span.template_collection_id
         ORDER BY l.composed_at
         LIMIT 1;
        SELECT l.composed_at INTO last_at
          FROM iu_core.iu_collection_template_instance_lineage AS l
          JOIN iu_core.iu_auto_instantiate_event_log AS e
            ON e.instance_collection_id = l.instance_collection_id
         WHERE l.template_collection_id = fn_iu_template_live_span.template_collection_id
         ORDER BY l.composed_at DESC
         LIMIT 1;
        RETURN NEXT;
    END LOOP;
END
$$;
