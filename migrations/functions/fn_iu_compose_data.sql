-- grant: owner only
-- The last check: decides the items that have gone through so far, and whose template judges data by a
-- schema. The locks of the call are held, so it is the schema of the version that will be composed from.
--   payload_invalid  the data was judged by this very schema, or is {}, and is wrong
--   data_unjudged    it was judged by another schema, or not at all. No refusal: nothing was decided,
--                    and whoever has the data judges it by the schema in the details and comes again
-- The others stay as they are. {} needs no judge: what is wrong with it was found when the template was
-- made.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_data(
    p_items iu_core.iu_compose_item[], p_data text[], p_schema_digests text[], p_data_errors text[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_items iu_core.iu_compose_item[];
BEGIN
    -- The usual answer, cheaply: all of it was judged by what is asked for, and is right.
    IF NOT EXISTS (SELECT FROM unnest(p_items) AS i
                    WHERE i.schema_digest IS NOT NULL
                      AND (i.status IS NULL OR (i.status = 'ok' AND i.emit_mode = 'dry_run'))
                      AND (p_data_errors[i.ordinal] IS NOT NULL
                           OR (p_schema_digests[i.ordinal] = i.schema_digest) IS NOT TRUE)) THEN
        RETURN p_items;
    END IF;

    SELECT array_agg(
               CASE WHEN v.status IS NULL THEN i.item
                    ELSE iu_core.fn_iu_compose_decide(
                             i.item, v.status,
                             jsonb_build_object('template_key', (i.item).template_key,
                                                'schema_digest', (i.item).schema_digest)
                             || coalesce(v.errors::jsonb, '{}'))
               END ORDER BY (i.item).ordinal)
      INTO v_items
      FROM (SELECT u AS item,
                   -- A live one that is ok already is the service's own retry.
                   u.schema_digest IS NOT NULL
                       AND (u.status IS NULL OR (u.status = 'ok' AND u.emit_mode = 'dry_run')) AS is_asked,
                   coalesce(p_data[u.ordinal], '{}') = '{}' AS is_empty,
                   (p_schema_digests[u.ordinal] = u.schema_digest) IS TRUE AS is_judged
              FROM unnest(p_items) AS u) AS i
      LEFT JOIN iu_core.iu_collection_template_registry AS r
             ON r.template_collection_id = (i.item).template_id AND i.is_empty
     CROSS JOIN LATERAL (SELECT CASE WHEN i.is_empty THEN r.empty_data_errors::text
                                     WHEN i.is_judged THEN p_data_errors[(i.item).ordinal]
                                END AS errors) AS e
     CROSS JOIN LATERAL (SELECT e.errors, CASE
               WHEN NOT i.is_asked THEN NULL
               WHEN NOT (i.is_empty OR i.is_judged) THEN 'data_unjudged'
               WHEN e.errors IS NOT NULL THEN 'payload_invalid' END) AS v(errors, status);
    RETURN v_items;
END
$$;
