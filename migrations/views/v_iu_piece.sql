-- grant: iu_app, iu_reader
-- One row per unit: its content, its life, what it supersedes and what supersedes it, its axes.
CREATE OR REPLACE VIEW iu_core.v_iu_piece AS
SELECT
    u.unit_id,
    u.content_digest,
    u.media_type,
    u.title,
    u.body,
    u.life,
    u.supersedes_unit_id,
    (SELECT s.unit_id FROM iu_core.information_unit AS s
      WHERE s.supersedes_unit_id = u.unit_id) AS superseded_by_unit_id,
    (SELECT coalesce(jsonb_object_agg(a.axis, a.value), '{}'::jsonb)
       FROM iu_core.iu_unit_axis AS a WHERE a.unit_id = u.unit_id) AS axes,
    u.created_by,
    u.created_at
FROM iu_core.information_unit AS u;
