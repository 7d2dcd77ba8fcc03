-- grant: owner only
-- What this database is: {"postgresql", "program", "revision", "files", "objects": {kind: {name:
-- facets}}}. Of a database that was just made, it is the manifest that others are compared with.
-- files is the SHA-256 over the functions, views and grants that were applied, one line each, sorted:
-- path TAB checksum LF.
-- The settings are those by which PostgreSQL writes definitions: they shall not be the caller's.
-- Compiling what is asked once takes longer than asking it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_manifest()
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, iu_core, pg_temp
SET jit = off
SET quote_all_identifiers = off
SET standard_conforming_strings = on
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET "DateStyle" = 'ISO, YMD'
SET "IntervalStyle" = 'postgres'
SET "TimeZone" = 'UTC'
AS $$
    SELECT jsonb_build_object(
               'postgresql', current_setting('server_version_num')::integer / 10000,
               'program', v.migrated_by,
               'revision', v.revision,
               'files', (SELECT encode(sha256(convert_to(string_agg(
                                    o.object_path || E'\t' || o.checksum || E'\n', ''
                                    ORDER BY o.object_path COLLATE "C"), 'UTF8')), 'hex')
                           FROM iu_core.v_iu_schema_object AS o),
               'objects', (SELECT jsonb_object_agg(k.kind, k.objects)
                             FROM (SELECT a.kind, jsonb_object_agg(a.name, a.facets) AS objects
                                     FROM (SELECT * FROM iu_core.fn_iu_conformance_objects()
                                           UNION ALL
                                           SELECT * FROM iu_core.fn_iu_conformance_rows()
                                           UNION ALL
                                           SELECT * FROM iu_core.fn_iu_conformance_roles()
                                           UNION ALL
                                           SELECT * FROM iu_core.fn_iu_conformance_database()) AS a
                                    GROUP BY a.kind) AS k))
      FROM iu_core.v_iu_schema_version AS v
$$;
