-- grant: owner only
-- What probes are pointed at: a template of 5 pieces, and a collection with the same pieces that is
-- none. Asks no gate: whoever calls this undoes it. All of it is new and random, so nobody is waited for
-- who makes something at the same time; and the template has no place in a chain, because the log
-- of what was current when takes numbers from a sequence, which nothing gives back.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_probe_template(
    p_actor text, OUT template_id uuid, OUT plain_id uuid)
RETURNS record
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_roles  constant text[] := '{first, second, third, fourth, fifth}';
    v_name   constant text := replace(gen_random_uuid()::text, '-', '');
    v_now    constant timestamptz := iu_core.fn_iu_now();
    v_units  uuid[];
    v_digest text;
BEGIN
    v_units := ARRAY(SELECT u.claimed_id
                       FROM unnest(v_roles) WITH ORDINALITY AS r(role, place)
                      CROSS JOIN LATERAL iu_core.fn_iu_unit_claim(
                          'text/plain', r.role, v_name, 'active', '{}', NULL, p_actor, v_now) AS u
                      ORDER BY r.place);
    v_digest := iu_core.fn_iu_composition_store(v_roles, v_units, v_now);

    INSERT INTO iu_core.iu_piece_collection AS c
           (created_at, is_instance, collection_key, composition_digest)
    VALUES (v_now, false, 'probe:' || v_name, v_digest)
    RETURNING c.collection_id INTO plain_id;
    INSERT INTO iu_core.iu_piece_collection AS c
           (created_at, is_instance, collection_key, composition_digest)
    VALUES (v_now, false, 'tpl:probe:' || v_name || '/v1', v_digest)
    RETURNING c.collection_id INTO template_id;
    INSERT INTO iu_core.iu_collection_template_registry
           (template_collection_id, template_key, composition_digest, piece_count, marked_by,
            marked_at, reason)
    VALUES (template_id, 'tpl:probe:' || v_name || '/v1', v_digest, cardinality(v_units), p_actor,
            v_now, 'probe');
END
$$;
