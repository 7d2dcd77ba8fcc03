-- grant: iu_app
-- What happened behind one place, up to another, in its order: composed, rolled_back, refused,
-- gate_changed (and settings), delivered, dead_letter. A place is a time and an id, which are unique
-- together. Refusals at a closed gate are one fact a minute that happens again when its last_at moves
-- on. fn_iu_fact_horizon says up to when it is complete. Each part is read by an index of its own, and
-- as far as the limit goes: so a page costs the same however many facts there are.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_facts(
    p_after_at timestamptz, p_after_id text, p_until_at timestamptz, p_until_id text,
    p_limit integer)
RETURNS TABLE (fact_at timestamptz, fact_id text, kind text, subject_id uuid, data jsonb)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
    (SELECT g.composed_at AS fact_at, ('composed-' || g.instance_collection_id) COLLATE "C" AS fact_id, 'composed'::text AS kind,
            g.instance_collection_id AS subject_id,
            jsonb_build_object(
                'template_key', r.template_key, 'event_id', l.event_id,
                'event_type', l.event_type, 'suffix', l.suffix, 'actor', l.actor,
                'operation_id', l.operation_id) AS data
       FROM iu_core.iu_collection_template_instance_lineage AS g
       JOIN iu_core.iu_auto_instantiate_event_log AS l
         ON l.instance_collection_id = g.instance_collection_id
       JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = g.template_collection_id
      WHERE g.composed_at BETWEEN p_after_at AND p_until_at
        AND (g.composed_at > p_after_at OR ('composed-' || g.instance_collection_id) COLLATE "C" > p_after_id)
        AND (g.composed_at < p_until_at OR ('composed-' || g.instance_collection_id) COLLATE "C" <= p_until_id)
      ORDER BY g.composed_at, g.instance_collection_id
      LIMIT p_limit)
     UNION ALL
    (SELECT t.rolled_back_at AS fact_at, ('rolled_back-' || t.instance_collection_id) COLLATE "C" AS fact_id, 'rolled_back'::text AS kind,
            t.instance_collection_id AS subject_id,
            jsonb_build_object(
                'rolled_back_by', t.rolled_back_by, 'reason', t.reason, 'actor', t.actor,
                'rollback_operation_id', t.rollback_operation_id) AS data
       FROM iu_core.iu_instance_tombstone AS t
      WHERE t.rolled_back_at BETWEEN p_after_at AND p_until_at
        AND (t.rolled_back_at > p_after_at OR ('rolled_back-' || t.instance_collection_id) COLLATE "C" > p_after_id)
        AND (t.rolled_back_at < p_until_at OR ('rolled_back-' || t.instance_collection_id) COLLATE "C" <= p_until_id)
      ORDER BY t.rolled_back_at, t.instance_collection_id
      LIMIT p_limit)
     UNION ALL
    (SELECT d.last_at AS fact_at, ('refused-' || d.record_id) COLLATE "C" AS fact_id, 'refused'::text AS kind,
            d.subject_id AS subject_id,
            jsonb_build_object(
                'command', d.command, 'code', d.code, 'actor', d.actor,
                'occurrences', d.occurrences, 'request_id', d.request_id) AS data
       FROM iu_core.iu_command_record AS d
      WHERE d.outcome = 'refused' AND d.last_at BETWEEN p_after_at AND p_until_at
        AND (d.last_at > p_after_at OR ('refused-' || d.record_id) COLLATE "C" > p_after_id)
        AND (d.last_at < p_until_at OR ('refused-' || d.record_id) COLLATE "C" <= p_until_id)
      ORDER BY d.last_at, d.record_id
      LIMIT p_limit)
     UNION ALL
    (SELECT h.occurred_at AS fact_at, ('gate_changed-' || lpad(h.history_id::text, 19, '0')) COLLATE "C" AS fact_id, 'gate_changed'::text AS kind,
            NULL::uuid AS subject_id,
            jsonb_build_object(
                'gate', h.config_key, 'action', h.action, 'actor', h.actor, 'reason', h.reason) AS data
       FROM iu_core.iu_core_config_history AS h
      WHERE h.occurred_at BETWEEN p_after_at AND p_until_at
        AND (h.occurred_at > p_after_at OR ('gate_changed-' || lpad(h.history_id::text, 19, '0')) COLLATE "C" > p_after_id)
        AND (h.occurred_at < p_until_at OR ('gate_changed-' || lpad(h.history_id::text, 19, '0')) COLLATE "C" <= p_until_id)
      ORDER BY h.occurred_at, h.history_id
      LIMIT p_limit)
     UNION ALL
    (SELECT a.ended_at AS fact_at, ('delivered-' || a.attempt_id) COLLATE "C" AS fact_id, 'delivered'::text AS kind,
            a.subject_id AS subject_id,
            jsonb_build_object(
                'message_id', a.outbox_id, 'route_id', a.route_id, 'attempt', a.attempt,
                'http_status', a.http_status) AS data
       FROM iu_core.iu_route_attempt AS a
      WHERE a.outcome = 'delivered' AND a.ended_at BETWEEN p_after_at AND p_until_at
        AND (a.ended_at > p_after_at OR ('delivered-' || a.attempt_id) COLLATE "C" > p_after_id)
        AND (a.ended_at < p_until_at OR ('delivered-' || a.attempt_id) COLLATE "C" <= p_until_id)
      ORDER BY a.ended_at, a.attempt_id
      LIMIT p_limit)
     UNION ALL
    (SELECT x.dead_at AS fact_at, ('dead_letter-' || x.outbox_id || '-' || x.route_id) COLLATE "C" AS fact_id, 'dead_letter'::text AS kind,
            x.subject_id AS subject_id,
            jsonb_build_object(
                'message_id', x.outbox_id, 'route_id', x.route_id, 'attempts', x.attempts) AS data
       FROM iu_core.iu_route_dead_letter AS x
      WHERE x.dead_at BETWEEN p_after_at AND p_until_at
        AND (x.dead_at > p_after_at OR ('dead_letter-' || x.outbox_id || '-' || x.route_id) COLLATE "C" > p_after_id)
        AND (x.dead_at < p_until_at OR ('dead_letter-' || x.outbox_id || '-' || x.route_id) COLLATE "C" <= p_until_id)
      ORDER BY x.dead_at, x.outbox_id, x.route_id
      LIMIT p_limit)
     ORDER BY 1, 2
     LIMIT p_limit
$$;
