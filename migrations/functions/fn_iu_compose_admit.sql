-- grant: owner only
-- Takes the locks of the undecided items - gates, actors, families, each sorted - and decides what
-- needs no claim: closed gates, actors whose work is being rolled back, templates that can't be
-- composed from, data that does not satisfy its template's schema, and dry runs that would have gone
-- through. What is left undecided may be claimed.
--   p_window  the call carries its own gate window: closed gates admit it, sealed ones do not
--   p_data, p_schema_digests, p_data_errors  see fn_iu_auto_instantiate_many
-- Verdicts are found once for all items of a kind: one actor, mode, template and require_current.
-- Raises PF413 when live items name more than 64 actors, or all items more than 256 families: each
-- is an entry of the server's lock table, and 15,000 of them exhausted it. Families that do not
-- exist are not locked, for anybody can name any number of them.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_admit(
    p_items iu_core.iu_compose_item[], p_window boolean, p_data text[], p_schema_digests text[],
    p_data_errors text[])
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_live     constant text := 'iu_core.auto_instantiate_enabled';
    v_composer constant text := 'iu_core.composer_enabled';
    v_gates    text[];
    v_actors   text[] := '{}';
    v_families text[] := '{}';
    v_leases   uuid[] := '{}';
    v_kind     iu_core.iu_compose_item;
    v_kinds    iu_core.iu_compose_item[];
    v_verdicts iu_core.iu_compose_item[];
    v_items    iu_core.iu_compose_item[] := p_items;
BEGIN
    -- An actor's kinds stand together, the live ones first.
    v_kinds := ARRAY(SELECT p_items[min(i.ordinal)]
                       FROM unnest(p_items) AS i
                      WHERE i.status IS NULL
                      GROUP BY i.actor, i.emit_mode, i.template_ref, i.require_current
                      ORDER BY i.actor, i.emit_mode DESC, min(i.ordinal));
    FOREACH v_kind IN ARRAY v_kinds LOOP
        IF v_kind.emit_mode = 'live'
           AND v_kind.actor IS DISTINCT FROM v_actors[cardinality(v_actors)] THEN
            v_actors := v_actors || v_kind.actor;
        END IF;
        -- One too many is enough to refuse the call.
        IF v_kind.family_key IS NOT NULL AND v_kind.family_key <> ALL (v_families)
           AND cardinality(v_families) <= 256 THEN
            v_families := v_families || v_kind.family_key;
        END IF;
    END LOOP;
    IF cardinality(v_actors) > 64 THEN
        RAISE EXCEPTION USING ERRCODE = 'PF413', MESSAGE = 'too_large',
            DETAIL = '{"limit": 64, "counted": "actors in one transaction"}';
    END IF;

    v_gates := CASE WHEN v_actors = '{}' THEN ARRAY[v_composer] ELSE ARRAY[v_live, v_composer] END;
    PERFORM iu_core.fn_iu_lock('gate', v_gates, true);
    IF NOT p_window THEN
        v_leases := iu_core.fn_iu_lease_claim(v_gates, v_actors);
    END IF;
    PERFORM iu_core.fn_iu_lock('actor', v_actors, true);
    IF cardinality(v_families) > 256 THEN
        RAISE EXCEPTION USING ERRCODE = 'PF413', MESSAGE = 'too_large',
            DETAIL = '{"limit": 256, "counted": "template families in one transaction"}';
    END IF;
    PERFORM iu_core.fn_iu_lock('family', v_families, true);

    v_verdicts := iu_core.fn_iu_compose_verdicts(v_kinds, v_gates, v_families, v_leases, p_window);
    -- The usual answer, cheaply: all may be claimed, as they are.
    IF v_verdicts IS DISTINCT FROM v_kinds THEN
        SELECT array_agg(CASE WHEN k.ordinal IS NULL THEN i ELSE ROW(
                   i.ordinal, k.status, i.claimed, i.event_id, i.reference_id, i.instance_id,
                   k.template_id, i.request_id, i.template_ref, i.event_type, i.suffix, i.actor,
                   i.emit_mode, i.data_digest, k.composition_digest, i.require_current,
                   i.allowed_actors, i.principal, k.lease_ids, k.warnings, k.details,
                   k.template_key, i.family_key, k.piece_count, k.schema_digest
               )::iu_core.iu_compose_item END ORDER BY i.ordinal)
          INTO v_items
          FROM unnest(p_items) AS i
          LEFT JOIN unnest(v_verdicts) AS k
                 ON i.status IS NULL AND k.template_ref = i.template_ref AND k.actor = i.actor
                AND k.emit_mode = i.emit_mode AND k.require_current = i.require_current;
    END IF;
    FOREACH v_kind IN ARRAY v_verdicts LOOP
        IF v_kind.schema_digest IS NOT NULL THEN
            v_items := iu_core.fn_iu_compose_data(
                v_items, p_data, p_schema_digests, p_data_errors);
            EXIT;
        END IF;
    END LOOP;

    RETURN CASE WHEN v_leases = '{}' THEN v_items
                ELSE iu_core.fn_iu_lease_allot(v_items, v_leases) END;
END
$$;
