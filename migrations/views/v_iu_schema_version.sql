-- grant: iu_app, iu_reader
--
-- One row: the revision of the tables, the release they belong to, the oldest program they
-- serve, and the program whose functions and views are installed.
CREATE OR REPLACE VIEW iu_core.v_iu_schema_version AS
SELECT
    v.schema_release,
    v.min_program,
    v.migrated_by,
    (SELECT r.version_num FROM iu_core.iu_schema_revision AS r) AS revision
FROM iu_core.iu_schema_version AS v;
