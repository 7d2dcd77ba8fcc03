-- grant: iu_app
-- Verifies one instance down to its content: the pieces' digests from the stored text, the
-- composition's from the pieces, the data's from the data, and that template, lineage, event log
-- and identity agree. Answers
--   {"status": "ok", instance_collection_id, actor, holds, pieces, composition_digest,
--    recomputed_digest, template_digest, lineage_digest, data_digest, recomputed_data_digest,
--    findings: [{kind, subject, expected, actual}]}
-- recomputed_digest is computed from the content alone. actor, and what else an instance may lack,
-- is null for one that no event composed. {"status": "instance_not_found"} where there is none; a
-- tombstone is not looked for. Takes no lock; STABLE, so that all of it is of one moment.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_verify_instance(p_instance_id uuid)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_digest   text;
    v_pieces   bigint;
    v_computed text;
    v_findings jsonb;
BEGIN
    SELECT c.composition_digest INTO v_digest
      FROM iu_core.iu_piece_collection AS c
     WHERE c.collection_id = p_instance_id AND c.is_instance;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', 'instance_not_found');
    END IF;

    SELECT count(*), iu_core.fn_iu_composition_digest(
               array_agg(p.role ORDER BY p.position),
               array_agg(iu_core.fn_iu_content_digest(u.media_type, u.title, u.body)
                         ORDER BY p.position))
      INTO v_pieces, v_computed
      FROM iu_core.iu_composition_piece AS p
      JOIN iu_core.information_unit AS u ON u.unit_id = p.unit_id
     WHERE p.composition_digest = v_digest;

    SELECT jsonb_agg(to_jsonb(f) ORDER BY f.kind, f.subject) INTO v_findings
      FROM (SELECT * FROM iu_core.fn_iu_finding_instances(p_instance_id)
            UNION ALL SELECT * FROM iu_core.fn_iu_finding_compositions(v_digest)
            UNION ALL SELECT * FROM iu_core.fn_iu_finding_pieces(v_digest)) AS f;

    RETURN (
        SELECT jsonb_build_object(
                   'status', 'ok',
                   'instance_collection_id', p_instance_id,
                   'actor', e.actor,
                   'holds', v_findings IS NULL,
                   'pieces', v_pieces,
                   'composition_digest', v_digest,
                   'recomputed_digest', v_computed,
                   'template_digest', r.composition_digest,
                   'lineage_digest', l.composition_digest,
                   'data_digest', e.data_digest,
                   'recomputed_data_digest', encode(sha256(convert_to(e.data::text, 'UTF8')), 'hex'),
                   'findings', coalesce(v_findings, '[]'::jsonb))
          FROM iu_core.iu_piece_collection AS c
          LEFT JOIN iu_core.iu_collection_template_instance_lineage AS l
                 ON l.instance_collection_id = c.collection_id
          LEFT JOIN iu_core.iu_auto_instantiate_event_log AS e
                 ON e.instance_collection_id = c.collection_id
          LEFT JOIN iu_core.iu_collection_template_registry AS r
                 ON r.template_collection_id = l.template_collection_id
         WHERE c.collection_id = p_instance_id);
END
$$;
