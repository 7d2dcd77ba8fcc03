-- grant: owner only
-- The items p_kinds with what is decided of them, under the locks that the call holds, in the order
-- of the checks: the first that fails answers. What goes through stays undecided, but for a dry run,
-- which is ok; both get their warnings, and the template as it is now.
--   p_gates     the gates that are locked; p_window, the call's own window, stands for open ones
--   p_families  the families that are locked
--   p_leases    the limited leases that are locked: only these may pay
-- What came to be a template while the locks were waited for is none to this call: it has no
-- identity, or its family's lock is not among them.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_verdicts(
    p_kinds iu_core.iu_compose_item[], p_gates text[], p_families text[], p_leases uuid[],
    p_window boolean)
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_live     constant text := 'iu_core.auto_instantiate_enabled';
    v_composer constant text := 'iu_core.composer_enabled';
    v_sealed   text;
    v_kinds    iu_core.iu_compose_item[];
BEGIN
    IF p_window THEN
        SELECT c.config_key INTO v_sealed FROM iu_core.iu_core_config AS c
         WHERE c.config_key = ANY (p_gates) AND c.sealed_at IS NOT NULL ORDER BY 1 LIMIT 1;
    END IF;

    -- Everything is read again here, in one statement that began under the locks.
    WITH actors AS MATERIALIZED (
        SELECT a.actor, g.composer_open, g.live_open, f.operation_id AS fenced_by
          FROM (SELECT iu_core.fn_iu_now() AS at OFFSET 0) AS now,
               -- Who only tries pays nothing, and no lease was locked for it.
               (SELECT i.actor, CASE WHEN bool_or(i.emit_mode = 'live') THEN p_leases END AS leases
                  FROM unnest(p_kinds) AS i GROUP BY i.actor) AS a
               LEFT JOIN iu_core.iu_actor_fence AS f ON f.actor = a.actor,
               LATERAL (SELECT
                   p_window OR iu_core.fn_iu_gate_is_open(v_composer, a.actor, now.at)
                       OR iu_core.fn_iu_lease_uses(v_composer, a.actor, a.leases, now.at) > 0
                   AS composer_open,
                   p_window OR iu_core.fn_iu_gate_is_open(v_live, a.actor, now.at)
                       OR iu_core.fn_iu_lease_uses(v_live, a.actor, a.leases, now.at) > 0
                   AS live_open OFFSET 0) AS g
    )
    SELECT array_agg(ROW(
               i.ordinal, coalesce(i.verdict, CASE WHEN i.emit_mode = 'dry_run' THEN 'ok' END),
               i.claimed, i.event_id, i.reference_id, i.instance_id,
               coalesce(i.found_id, i.template_id), i.request_id, i.template_ref, i.event_type,
               i.suffix, i.actor, i.emit_mode, i.data_digest,
               coalesce(i.found_digest, i.composition_digest), i.require_current,
               i.allowed_actors, i.principal, i.lease_ids,
               CASE WHEN i.verdict IS NULL THEN nullif(array_remove(ARRAY[
                   CASE WHEN i.version_status = 'superseded' THEN 'template_superseded' END,
                   CASE WHEN i.emit_mode = 'dry_run' AND NOT i.live_open THEN 'live_gate_closed' END],
                   NULL), '{}') END,
               CASE WHEN i.verdict LIKE '%gate%'
                    THEN jsonb_build_object('gate', CASE i.verdict WHEN 'gate_sealed' THEN v_sealed
                             WHEN 'live_gate_closed' THEN v_live ELSE v_composer END)
                    WHEN i.verdict = 'actor_rolling_back'
                    THEN jsonb_build_object('actor', i.actor, 'operation_id', i.fenced_by)
                    WHEN i.verdict = 'template_collection_not_found'
                    THEN jsonb_build_object('template', i.template_ref)
                    WHEN i.verdict IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
                        'template_key', i.found_key,
                        'current', CASE WHEN i.verdict = 'template_superseded' THEN i.current_key END)) END,
               coalesce(i.found_key, i.template_key), i.family_key,
               coalesce(i.found_pieces, i.piece_count)
           )::iu_core.iu_compose_item ORDER BY i.ordinal)
      INTO v_kinds
      FROM (SELECT u.*, t.template_collection_id AS found_id, t.composition_digest AS found_digest,
                   t.template_key AS found_key, t.piece_count AS found_pieces, t.version_status,
                   c.template_key AS current_key, a.live_open, a.fenced_by,
                   CASE WHEN v_sealed IS NOT NULL THEN 'gate_sealed'
                        WHEN u.emit_mode = 'live' AND NOT a.live_open THEN 'live_gate_closed'
                        WHEN NOT a.composer_open THEN 'composer_gate_closed'
                        WHEN a.fenced_by IS NOT NULL THEN 'actor_rolling_back'
                        WHEN t.collection_exists IS NOT TRUE OR u.instance_id IS NULL
                        THEN 'template_collection_not_found'
                        WHEN NOT t.is_marked OR t.family_key <> ALL (p_families)
                        THEN 'template_not_marked'
                        WHEN t.version_status = 'withdrawn' THEN 'template_withdrawn'
                        WHEN t.version_status = 'superseded' AND u.require_current
                        THEN 'template_superseded' END AS verdict
              FROM unnest(p_kinds) AS u
              JOIN actors AS a ON a.actor = u.actor
              LEFT JOIN iu_core.fn_iu_template_resolve((
                       SELECT array_agg(k.template_ref) FROM unnest(p_kinds) AS k)) AS t
                     ON t.ref = u.template_ref
              -- Whose current version is told to those who must not get another one.
              LEFT JOIN iu_core.fn_iu_template_resolve((
                       SELECT array_agg(k.family_key) FROM unnest(p_kinds) AS k
                        WHERE k.require_current)) AS c
                     ON u.require_current AND c.ref = t.family_key) AS i;
    RETURN v_kinds;
END
$$;
