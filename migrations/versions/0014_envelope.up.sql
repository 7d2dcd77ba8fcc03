-- The envelope of a unit: its axes, which may be changed, as opposed to its content.
COMMENT ON TABLE iu_core.iu_unit_axis IS
    'facets of a unit: what is changed is kept in iu_unit_axis_log, and rolled up in the same transaction';
COMMENT ON TABLE iu_core.iu_composition_axis IS
    'the axes of a composition''s units, rolled up: always what they are, for templates and instances alike';

-- Every change of a unit's axes after its birth. A reference table, like the axes.
CREATE TABLE iu_core.iu_unit_axis_log (
    axis_log_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id      uuid        NOT NULL REFERENCES iu_core.information_unit (unit_id),
    request_id   uuid,
    occurred_at  timestamptz NOT NULL,
    compositions integer     NOT NULL CHECK (compositions >= 0),
    actor        text        NOT NULL,
    principal    text        NOT NULL,
    reason       text        NOT NULL DEFAULT '',
    axes_before  jsonb       NOT NULL,
    axes_after   jsonb       NOT NULL
);
COMMENT ON COLUMN iu_core.iu_unit_axis_log.compositions IS 'how many were rolled up anew';
CREATE INDEX iu_unit_axis_log_by_unit ON iu_core.iu_unit_axis_log (unit_id, axis_log_id);
