-- grant: iu_app, iu_reader
--
-- Which files the installed functions, views and grants came from; the service compares the
-- checksums with its own files when it starts.
CREATE OR REPLACE VIEW iu_core.v_iu_schema_object AS
SELECT o.object_path, o.object_kind, o.object_identity, o.checksum
FROM iu_core.iu_schema_object AS o;
