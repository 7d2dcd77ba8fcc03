-- grant: iu_app, iu_reader
-- What was current in each family since when: the row with the latest current_from (then
-- current_id) at or before a time tells what was current then. template_collection_id is NULL since
-- a family had no current version.
CREATE OR REPLACE VIEW iu_core.v_iu_template_current_log AS
SELECT
    l.current_id,
    f.family_key AS family,
    l.template_collection_id,
    r.template_key,
    l.current_from,
    l.actor,
    l.reason
FROM iu_core.iu_collection_template_current_log AS l
JOIN iu_core.iu_collection_template_family AS f ON f.family_id = l.family_id
LEFT JOIN iu_core.iu_collection_template_registry AS r
    ON r.template_collection_id = l.template_collection_id;
