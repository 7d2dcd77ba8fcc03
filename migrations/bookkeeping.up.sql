-- What the migration runner remembers. It is made before the first revision, so it can't be one.

-- Alembic's own table, in the shape that Alembic expects.
CREATE TABLE IF NOT EXISTS iu_core.iu_schema_revision (
    version_num varchar(32) NOT NULL,
    CONSTRAINT iu_schema_revision_pkc PRIMARY KEY (version_num)
);

-- The files that were applied, as they were then. installed_order is the order of creation;
-- dropping goes against it.
CREATE TABLE IF NOT EXISTS iu_core.iu_schema_object (
    object_path     text    PRIMARY KEY,
    object_kind     text    NOT NULL CHECK (object_kind IN ('function', 'view', 'grant')),
    object_identity text    NOT NULL,
    checksum        text    NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'),
    installed_order integer NOT NULL
);

-- One row. Revisions set schema_release and min_program, the oldest program that this schema can
-- serve; the runner sets migrated_by, the program whose functions and views are installed
-- (NULL: none are).
CREATE TABLE IF NOT EXISTS iu_core.iu_schema_version (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_release integer NOT NULL CHECK (schema_release >= 0),
    min_program    text    NOT NULL CHECK (min_program ~ '^\d+\.\d+\.\d+$'),
    migrated_by    text    CHECK (migrated_by ~ '^\d+\.\d+\.\d+$')
);
INSERT INTO iu_core.iu_schema_version (schema_release, min_program)
VALUES (0, '0.0.0')
ON CONFLICT DO NOTHING;
