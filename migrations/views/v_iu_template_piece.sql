-- grant: iu_app, iu_reader
-- One row per template and position: the unit that stands there, with its content.
CREATE OR REPLACE VIEW iu_core.v_iu_template_piece AS
SELECT
    r.template_collection_id,
    p.position,
    p.role,
    u.unit_id,
    u.content_digest,
    u.media_type,
    u.title,
    u.body,
    u.life
FROM iu_core.iu_collection_template_registry AS r
JOIN iu_core.iu_composition_piece AS p ON p.composition_digest = r.composition_digest
JOIN iu_core.information_unit AS u ON u.unit_id = p.unit_id;
