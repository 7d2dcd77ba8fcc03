-- grant: owner only
-- Why a database can't be compared with a manifest, and what to do: {"reason", "remedy"}. NULL: it
-- can. p_manifest NULL: there is none for this major release of PostgreSQL.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_obstacle(p_manifest jsonb, p_actual jsonb)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT CASE
           WHEN p_manifest IS NULL THEN jsonb_build_object(
               'reason', 'no_manifest',
               'remedy', format(
                   'This release has no manifest for PostgreSQL %s: install a release that has one, '
                   'or move the database to a PostgreSQL that this one knows.',
                   p_actual ->> 'postgresql'))
           WHEN NOT iu_core.fn_iu_conformance_is_manifest(p_manifest) THEN jsonb_build_object(
               'reason', 'not_a_manifest',
               'remedy', format(
                   'What was given is no manifest: take migrations/manifests/%s.json of the release '
                   'that migrated the database, %s.',
                   p_actual ->> 'postgresql', p_actual ->> 'program'))
           WHEN p_manifest -> 'postgresql' <> p_actual -> 'postgresql' THEN jsonb_build_object(
               'reason', 'other_postgresql',
               'remedy', format(
                   'The manifest is for PostgreSQL %s and the server is %s: take that release''s '
                   'manifest for %2$s.',
                   p_manifest ->> 'postgresql', p_actual ->> 'postgresql'))
           WHEN (p_manifest -> 'revision', p_manifest -> 'files')
                = (p_actual -> 'revision', p_actual -> 'files') THEN NULL
           WHEN string_to_array(p_actual ->> 'program', '.')::numeric[]
                > string_to_array(p_manifest ->> 'program', '.')::numeric[] THEN jsonb_build_object(
               'reason', 'database_ahead',
               'remedy', format(
                   'The database was migrated by program %s and the manifest is that of %s: check '
                   'with program %1$s.',
                   p_actual ->> 'program', p_manifest ->> 'program'))
           ELSE jsonb_build_object(
               'reason', 'database_behind',
               'remedy', format(
                   'The database is at revision %s, migrated by program %s; the manifest is that of '
                   'revision %s, program %s: run `factory migrate`, and check again.',
                   p_actual ->> 'revision', p_actual ->> 'program',
                   p_manifest ->> 'revision', p_manifest ->> 'program'))
           END
$$;
