-- grant: owner only
-- What evidence says of a template: its key, its place in the version chain, and since when, and until
-- when, it was its family's current version. "until" is null while it is.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_evidence_version(p_template_id uuid)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
               'template_collection_id', t.template_collection_id,
               'template_key', t.template_key, 'family', t.family, 'version', t.version,
               'status', t.status, 'supersedes', t.supersedes,
               'composition_digest', t.composition_digest, 'schema_digest', t.schema_digest,
               'marked_by', t.marked_by, 'marked_at', iu_core.fn_iu_utc(t.marked_at),
               'versioned_by', t.versioned_by, 'versioned_at', iu_core.fn_iu_utc(t.versioned_at),
               'reason', t.reason,
               'withdrawn_by', t.withdrawn_by, 'withdrawn_at', iu_core.fn_iu_utc(t.withdrawn_at),
               'withdrawn_reason', t.withdrawn_reason,
               'current', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object(
                                       'from', iu_core.fn_iu_utc(p.current_from),
                                       'until', iu_core.fn_iu_utc(p.current_until))
                                       ORDER BY p.current_from, p.current_id), '[]')
                     FROM (SELECT l.template_collection_id, l.current_from, l.current_id,
                                  lead(l.current_from) OVER (
                                      ORDER BY l.current_from, l.current_id) AS current_until
                             FROM iu_core.v_iu_template_current_log AS l
                            WHERE l.family = t.family) AS p
                    WHERE p.template_collection_id = t.template_collection_id))
      FROM iu_core.v_iu_template AS t
     WHERE t.template_collection_id = p_template_id
$$;
