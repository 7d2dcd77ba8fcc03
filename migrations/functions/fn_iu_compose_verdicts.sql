-- grant: owner only
-- The items p_kinds with what is decided of them, under the locks that the call holds, in the order
-- of the checks: the first that fails answers. What goes through stays undecided, but for a dry run,
-- which is ok; both get their warnings, and the template as it is now. Where that has a schema, each
-- item's data is still to be looked at: fn_iu_compose_data.
--   p_kinds     an actor's stand together, the live ones first
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
    v_now      timestamptz := iu_core.fn_iu_now();
    v_sealed   text;
    v_actor    text;
    v_ref      text;
    v_leases   uuid[];
    v_live_by       uuid[];
    v_composer_by   uuid[];
    v_live_open     boolean;
    v_composer_open boolean;
    v_fenced_by     uuid;
    v_found    record;
    v_kind     iu_core.iu_compose_item;
    v_kinds    iu_core.iu_compose_item[] := '{}';
BEGIN
    IF p_window THEN
        SELECT c.config_key INTO v_sealed FROM iu_core.iu_core_config AS c
         WHERE c.config_key = ANY (p_gates) AND c.sealed_at IS NOT NULL ORDER BY 1 LIMIT 1;
    END IF;

    -- Everything is read again here, in statements that began under the locks.
    FOREACH v_kind IN ARRAY p_kinds LOOP
        IF v_kind.template_ref IS DISTINCT FROM v_ref THEN
            v_ref := v_kind.template_ref;
            v_found := iu_core.fn_iu_template_find(v_ref);
        END IF;
        IF v_kind.actor IS DISTINCT FROM v_actor THEN
            v_actor := v_kind.actor;
            -- Who only tries pays nothing, and no lease was locked for it.
            v_leases := CASE WHEN v_kind.emit_mode = 'live' THEN p_leases END;
            v_live_by := iu_core.fn_iu_gate_admission(v_live, v_actor, v_now);
            v_composer_by := iu_core.fn_iu_gate_admission(v_composer, v_actor, v_now);
            v_live_open := p_window OR v_live_by IS NOT NULL
                OR iu_core.fn_iu_lease_uses(v_live, v_actor, v_leases, v_now) > 0;
            v_composer_open := p_window OR v_composer_by IS NOT NULL
                OR iu_core.fn_iu_lease_uses(v_composer, v_actor, v_leases, v_now) > 0;
            v_fenced_by := (SELECT f.operation_id FROM iu_core.iu_actor_fence AS f
                             WHERE f.actor = v_actor);
        END IF;
        v_kind.template_id := coalesce(v_found.template_collection_id, v_kind.template_id);
        v_kind.template_key := coalesce(v_found.template_key, v_kind.template_key);
        v_kind.composition_digest := coalesce(v_found.composition_digest, v_kind.composition_digest);
        v_kind.piece_count := coalesce(v_found.piece_count, v_kind.piece_count);
        v_kind.schema_digest := v_found.schema_digest;
        v_kind.lease_ids := CASE WHEN v_kind.emit_mode = 'live' AND NOT p_window
                                 THEN nullif(v_live_by || v_composer_by, '{}') END;

        CASE
            WHEN v_sealed IS NOT NULL THEN
                v_kind.status := 'gate_sealed';
                v_kind.details := jsonb_build_object('gate', v_sealed);
            WHEN v_kind.emit_mode = 'live' AND NOT v_live_open THEN
                v_kind.status := 'live_gate_closed';
                v_kind.details := jsonb_build_object('gate', v_live);
            WHEN NOT v_composer_open THEN
                v_kind.status := 'composer_gate_closed';
                v_kind.details := jsonb_build_object('gate', v_composer);
            WHEN v_fenced_by IS NOT NULL THEN
                v_kind.status := 'actor_rolling_back';
                v_kind.details := jsonb_build_object('actor', v_actor, 'operation_id', v_fenced_by);
            WHEN NOT v_found.collection_exists OR v_kind.instance_id IS NULL THEN
                v_kind.status := 'template_collection_not_found';
                v_kind.details := jsonb_build_object('template', v_kind.template_ref);
            WHEN NOT v_found.is_marked OR v_found.family_key <> ALL (p_families) THEN
                v_kind.status := 'template_not_marked';
                v_kind.details := jsonb_strip_nulls(
                    jsonb_build_object('template_key', v_found.template_key));
            WHEN v_found.version_status = 'withdrawn' THEN
                v_kind.status := 'template_withdrawn';
                v_kind.details := jsonb_build_object('template_key', v_found.template_key);
            WHEN v_found.version_status = 'superseded' AND v_kind.require_current THEN
                v_kind.status := 'template_superseded';
                -- Whose current version is told to those who must not get another one.
                v_kind.details := jsonb_strip_nulls(jsonb_build_object(
                    'template_key', v_found.template_key,
                    'current', (iu_core.fn_iu_template_find(v_found.family_key)).template_key));
            ELSE
                v_kind.status := CASE WHEN v_kind.emit_mode = 'dry_run' THEN 'ok' END;
                v_kind.warnings := nullif(array_remove(ARRAY[
                    CASE WHEN v_found.version_status = 'superseded' THEN 'template_superseded' END,
                    CASE WHEN v_kind.emit_mode = 'dry_run' AND NOT v_live_open
                         THEN 'live_gate_closed' END], NULL), '{}');
        END CASE;
        v_kinds := v_kinds || v_kind;
    END LOOP;
    RETURN v_kinds;
END
$$;
