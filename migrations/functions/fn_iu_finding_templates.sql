-- grant: owner only
-- What is wrong with templates and their version chains.
--   template_collection_missing     a registry row whose collection is gone
--   template_composition_changed    a marked template's collection points to other pieces now
--   template_key_mismatch           the collection or the version bears another name
--   template_piece_count_mismatch   the registry's count is not the composition's
--   template_version_mismatch       the version row's digest is not the registry's
--   version_chain_mismatch          it does not supersede the next lower version that counts; or it
--                                   is withdrawn, and superseded another family's, or a later one
--   family_without_current          versions that count, and none of them current
--   current_log_mismatch            the log of what was current says otherwise
--   template_schema_mismatch        a schema is not what its digest was computed from
--   template_without_version        no fault: marked, but without a place in a chain
CREATE OR REPLACE FUNCTION iu_core.fn_iu_finding_templates()
RETURNS TABLE (kind text, subject text, expected text, actual text)
LANGUAGE sql STABLE
AS $$
    SELECT f.kind, 'template ' || r.template_key, f.expected, f.actual
      FROM iu_core.iu_collection_template_registry AS r
      LEFT JOIN iu_core.iu_piece_collection AS c
             ON c.collection_id = r.template_collection_id
      LEFT JOIN iu_core.iu_composition AS p ON p.composition_digest = r.composition_digest
      LEFT JOIN iu_core.iu_collection_template_version AS v
             ON v.template_collection_id = r.template_collection_id
      LEFT JOIN iu_core.iu_collection_template_family AS y ON y.family_id = v.family_id
      LEFT JOIN iu_core.iu_collection_template_version AS b
             ON b.template_collection_id = v.supersedes_collection_id
      -- Whoever enters or leaves the chain mends the links of the others, but not of withdrawn ones.
      LEFT JOIN (SELECT n.template_collection_id,
                        lag(n.template_collection_id) OVER (
                            PARTITION BY n.family_id ORDER BY n.version_number) AS lower_id
                   FROM iu_core.iu_collection_template_version AS n
                  WHERE n.status <> 'withdrawn') AS n
             ON n.template_collection_id = v.template_collection_id
     CROSS JOIN LATERAL (VALUES
               ('template_collection_missing', r.template_collection_id::text,
                coalesce(c.collection_id::text, 'none'), true),
               ('template_composition_changed', r.composition_digest, c.composition_digest, true),
               ('template_key_mismatch', r.template_key, c.collection_key, true),
               ('template_key_mismatch', r.template_key,
                y.family_key || '/v' || v.version_number, true),
               ('template_piece_count_mismatch', r.piece_count::text, p.piece_count::text, true),
               ('template_version_mismatch', r.composition_digest, v.composition_digest, true),
               ('version_chain_mismatch', coalesce(n.lower_id::text, 'none'),
                coalesce(v.supersedes_collection_id::text, 'none'), v.status <> 'withdrawn'),
               ('version_chain_mismatch', v.family_id::text, b.family_id::text,
                v.status = 'withdrawn'),
               ('version_chain_mismatch', 'below v' || v.version_number, 'v' || b.version_number,
                v.status = 'withdrawn' AND b.version_number >= v.version_number),
               ('template_without_version', 'a version',
                coalesce(v.template_collection_id::text, 'none'), v.template_collection_id IS NULL)
           ) AS f(kind, expected, actual, applies)
     WHERE f.applies AND f.expected <> f.actual
    UNION ALL
    SELECT f.kind, 'family ' || y.family_key, f.expected, f.actual
      FROM iu_core.iu_collection_template_family AS y
      LEFT JOIN iu_core.iu_collection_template_version AS w
             ON w.family_id = y.family_id AND w.status = 'current'
      LEFT JOIN (SELECT DISTINCT ON (g.family_id) g.family_id, g.template_collection_id
                   FROM iu_core.iu_collection_template_current_log AS g
                  ORDER BY g.family_id, g.current_from DESC, g.current_id DESC) AS g
             ON g.family_id = y.family_id
      LEFT JOIN (SELECT v.family_id, count(*) AS versions
                   FROM iu_core.iu_collection_template_version AS v
                  WHERE v.status <> 'withdrawn'
                  GROUP BY v.family_id) AS n ON n.family_id = y.family_id
     CROSS JOIN LATERAL (VALUES
               ('family_without_current', 'one current version', 'none of ' || n.versions,
                n.versions > 0 AND w.family_id IS NULL),
               ('current_log_mismatch', coalesce(w.template_collection_id::text, 'none'),
                coalesce(g.template_collection_id::text, 'none'), true)
           ) AS f(kind, expected, actual, applies)
     WHERE f.applies AND f.expected <> f.actual
    UNION ALL
    SELECT 'template_schema_mismatch', 'schema ' || s.schema_digest, s.schema_digest,
           iu_core.fn_iu_template_schema_digest(s.schema::text)
      FROM iu_core.iu_template_schema AS s
     WHERE s.schema_digest <> iu_core.fn_iu_template_schema_digest(s.schema::text)
$$;
