-- grant: owner only
-- Takes the locks of the undecided items - gates, actors, families, each sorted - and decides what
-- needs no claim: closed gates, actors whose work is being rolled back, templates that can't be
-- composed from, and dry runs that would have gone through. What is left undecided may be claimed.
--   p_window  the call carries its own gate window: closed gates admit it, sealed ones do not
-- What came to be a template while the locks were waited for is none to this call: it has no
-- identity, or its family's lock is not among them.
-- Raises PF413 when live items name more than 64 actors, or all items more than 256 families: each
-- is an entry of the server's lock table, and 15,000 of them exhausted it. Families that do not
-- exist are not locked, for anybody can name any number of them.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_admit(
    p_items iu_core.iu_compose_item[], p_window boolean)
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_live     constant text := 'iu_core.auto_instantiate_enabled';
    v_composer constant text := 'iu_core.composer_enabled';
    v_gates    text[];
    v_refs     text[];
    v_actors   text[];
    v_live_actors text[];
    v_families text[];
    v_strict   text[];
    v_leases   uuid[] := '{}';
    v_sealed   text;
    v_items    iu_core.iu_compose_item[];
BEGIN
    SELECT array_agg(DISTINCT i.template_ref), array_agg(DISTINCT i.actor),
           array_agg(DISTINCT i.actor) FILTER (WHERE i.emit_mode = 'live')
      INTO v_refs, v_actors, v_live_actors
      FROM unnest(p_items) AS i WHERE i.status IS NULL;
    IF cardinality(v_live_actors) > 64 THEN
        RAISE EXCEPTION USING ERRCODE = 'PF413', MESSAGE = 'too_large',
            DETAIL = '{"limit": 64, "counted": "actors in one transaction"}';
    END IF;

    v_gates := CASE WHEN v_live_actors IS NULL THEN ARRAY[v_composer]
                    ELSE ARRAY[v_live, v_composer] END;
    PERFORM iu_core.fn_iu_lock('gate', v_gates, true);
    IF NOT p_window THEN
        v_leases := iu_core.fn_iu_lease_claim(v_gates, v_live_actors);
    END IF;
    PERFORM iu_core.fn_iu_lock('actor', v_live_actors, true);
    SELECT coalesce(array_agg(DISTINCT t.family_key), '{}') INTO v_families
      FROM iu_core.fn_iu_template_resolve(v_refs) AS t
     WHERE t.is_marked
        OR EXISTS (SELECT FROM iu_core.iu_collection_template_family AS f
                    WHERE f.family_key = t.family_key);
    IF cardinality(v_families) > 256 THEN
        RAISE EXCEPTION USING ERRCODE = 'PF413', MESSAGE = 'too_large',
            DETAIL = '{"limit": 256, "counted": "template families in one transaction"}';
    END IF;
    PERFORM iu_core.fn_iu_lock('family', v_families, true);
    -- Whose current version is told to those who must not get another one.
    v_strict := CASE WHEN EXISTS (SELECT FROM unnest(p_items) AS i
                                   WHERE i.require_current AND i.status IS NULL)
                     THEN v_families END;

    IF p_window THEN
        SELECT c.config_key INTO v_sealed FROM iu_core.iu_core_config AS c
         WHERE c.config_key = ANY (v_gates) AND c.sealed_at IS NOT NULL ORDER BY 1 LIMIT 1;
    END IF;

    -- Everything is read again here, in one statement that began under the locks.
    WITH verdicts AS MATERIALIZED (
        SELECT a.actor, g.composer_open, g.live_open, f.operation_id AS fenced_by
          FROM (SELECT iu_core.fn_iu_now() AS at OFFSET 0) AS now,
               unnest(v_actors) AS a(actor)
               LEFT JOIN iu_core.iu_actor_fence AS f ON f.actor = a.actor,
               -- Who only tries pays nothing, and no lease was locked for it.
               LATERAL (SELECT CASE WHEN a.actor = ANY (v_live_actors) THEN v_leases END) AS l(leases),
               LATERAL (SELECT
                   p_window OR iu_core.fn_iu_gate_is_open(v_composer, a.actor, now.at)
                       OR iu_core.fn_iu_lease_uses(v_composer, a.actor, l.leases, now.at) > 0
                   AS composer_open,
                   p_window OR iu_core.fn_iu_gate_is_open(v_live, a.actor, now.at)
                       OR iu_core.fn_iu_lease_uses(v_live, a.actor, l.leases, now.at) > 0
                   AS live_open) AS g
    )
    SELECT array_agg(ROW(
               i.ordinal, coalesce(i.status, d.status, CASE WHEN i.emit_mode = 'dry_run' THEN 'ok' END),
               i.claimed, i.event_id, i.reference_id, i.instance_id,
               coalesce(t.template_collection_id, i.template_id), i.request_id, i.template_ref,
               i.event_type, i.suffix, i.actor, i.emit_mode, i.data_digest,
               coalesce(t.composition_digest, i.composition_digest), i.require_current,
               i.allowed_actors, i.principal, i.lease_ids,
               CASE WHEN i.status IS NULL AND d.status IS NULL THEN nullif(array_remove(ARRAY[
                   CASE WHEN t.version_status = 'superseded' THEN 'template_superseded' END,
                   CASE WHEN i.emit_mode = 'dry_run' AND NOT g.live_open THEN 'live_gate_closed' END],
                   NULL), '{}') ELSE i.warnings END,
               CASE WHEN i.status IS NOT NULL THEN i.details
                    WHEN d.gate IS NOT NULL THEN jsonb_build_object('gate', d.gate)
                    WHEN d.status = 'actor_rolling_back'
                    THEN jsonb_build_object('actor', i.actor, 'operation_id', g.fenced_by)
                    WHEN d.status = 'template_collection_not_found'
                    THEN jsonb_build_object('template', i.template_ref)
                    WHEN d.status IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
                        'template_key', t.template_key,
                        'current', CASE WHEN d.status = 'template_superseded' THEN c.template_key END)) END
           )::iu_core.iu_compose_item ORDER BY i.ordinal)
      INTO v_items
      FROM unnest(p_items) AS i
      LEFT JOIN verdicts AS g ON g.actor = i.actor AND i.status IS NULL
      LEFT JOIN iu_core.fn_iu_template_resolve(v_refs) AS t ON t.ref = i.template_ref AND i.status IS NULL
      LEFT JOIN iu_core.fn_iu_template_resolve(v_strict) AS c
             ON i.require_current AND c.ref = t.family_key AND i.status IS NULL
      LEFT JOIN LATERAL (
          SELECT v.status, v.gate FROM (VALUES
              (1, 'gate_sealed', v_sealed, v_sealed IS NOT NULL),
              (2, 'live_gate_closed', v_live, i.emit_mode = 'live' AND NOT g.live_open),
              (3, 'composer_gate_closed', v_composer, NOT g.composer_open),
              (4, 'actor_rolling_back', NULL, g.fenced_by IS NOT NULL),
              (5, 'template_collection_not_found', NULL,
                  t.collection_exists IS NOT TRUE OR i.instance_id IS NULL),
              (6, 'template_not_marked', NULL, NOT t.is_marked OR t.family_key <> ALL (v_families)),
              (7, 'template_withdrawn', NULL, t.version_status = 'withdrawn'),
              (8, 'template_superseded', NULL,
                  t.version_status = 'superseded' AND i.require_current)
          ) AS v(place, status, gate, applies)
           WHERE v.applies AND i.status IS NULL ORDER BY v.place LIMIT 1) AS d ON true;

    RETURN CASE WHEN v_leases = '{}' THEN v_items
                ELSE iu_core.fn_iu_lease_allot(v_items, v_leases) END;
END
$$;
