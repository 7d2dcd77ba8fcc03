-- grant: owner only
-- Why a database can't be compared with a manifest, and what to do: {"reason", "remedy"}. NULL: it
-- can. p_manifest NULL: there is none for this major release of PostgreSQL.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance_obstacle(p_manifest jsonb, p_actual jsonb)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object('reason', o.reason, 'remedy', o.remedy)
      FROM (VALUES
            (p_manifest IS NULL,
             'no_manifest',
             format('This release has no manifest for PostgreSQL %s: install a release that has one, '
                    'or move the database to a PostgreSQL that this one knows.',
                    p_actual ->> 'postgresql')),
            (p_manifest -> 'postgresql' <> p_actual -> 'postgresql',
             'other_postgresql',
             format('The manifest is for PostgreSQL %s and the server is %s: take that release''s '
                    'manifest for %2$s.',
                    p_manifest ->> 'postgresql', p_actual ->> 'postgresql')),
            (string_to_array(p_actual ->> 'program', '.')::integer[]
                 > string_to_array(p_manifest ->> 'program', '.')::integer[],
             'database_ahead',
             format('The database was migrated by program %s and the manifest is that of %s: check '
                    'with program %1$s.',
                    p_actual ->> 'program', p_manifest ->> 'program')),
            (true,
             'database_behind',
             format('The database is at revision %s, migrated by program %s; the manifest is that of '
                    'revision %s, program %s: run `factory migrate`, and check again.',
                    p_actual ->> 'revision', p_actual ->> 'program',
                    p_manifest ->> 'revision', p_manifest ->> 'program'))
           ) AS o(applies, reason, remedy)
     WHERE (p_manifest - 'objects' - 'program' = p_actual - 'objects' - 'program') IS NOT TRUE
       AND o.applies
     LIMIT 1
$$;
