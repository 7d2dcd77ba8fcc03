-- grant: owner only
-- The selection that the selectors make. The template is looked up in the registry: a UUID or a
-- pinned key means one template, a family all its versions, also those without a place in a chain.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_rollback_selection(
    p_of_actor text, p_operation_id uuid, p_event_id uuid, p_template text,
    p_composed_from timestamptz, p_composed_to timestamptz)
RETURNS iu_core.iu_rollback_selection
LANGUAGE sql VOLATILE
AS $$
    SELECT p_of_actor, p_operation_id, p_event_id, p_template,
           CASE WHEN p_template IS NOT NULL THEN ARRAY(
               SELECT m.template_collection_id
                 FROM iu_core.iu_collection_template_registry AS m
                WHERE m.template_collection_id::text = pg_catalog.lower(p_template)
                   OR m.template_key = pg_catalog.translate(p_template, '@', '/')
                   OR pg_catalog.split_part(m.template_key, '/', 1) = p_template) END,
           p_composed_from, p_composed_to
$$;
