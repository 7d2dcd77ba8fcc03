DROP TABLE iu_core.iu_schema_version;
DROP TABLE iu_core.iu_schema_object;
DROP TABLE iu_core.iu_schema_revision;
