-- grant: owner only
-- Gives a marked template its place in its family's chain: it supersedes the nearest lower
-- version, and the nearest higher one supersedes it from now on. With no higher one it is current.
-- The number is that of its key. The caller holds the family's lock.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_enter_chain(
    p_family_id uuid, p_collection_id uuid, p_actor text, p_reason text, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_number integer;
    v_higher uuid;
BEGIN
    SELECT substring(r.template_key FROM '/v([0-9]+)$')::integer INTO v_number
      FROM iu_core.iu_collection_template_registry AS r
     WHERE r.template_collection_id = p_collection_id;
    v_higher := iu_core.fn_iu_template_neighbour(p_family_id, v_number, true);

    INSERT INTO iu_core.iu_collection_template_version
           (template_collection_id, family_id, version_number, status, composition_digest,
            supersedes_collection_id, created_by, created_at, reason)
    SELECT p_collection_id, p_family_id, v_number, 'superseded', r.composition_digest,
           iu_core.fn_iu_template_neighbour(p_family_id, v_number, false),
           p_actor, p_now, coalesce(p_reason, '')
      FROM iu_core.iu_collection_template_registry AS r
     WHERE r.template_collection_id = p_collection_id;

    IF v_higher IS NULL THEN
        PERFORM iu_core.fn_iu_template_make_current(
            p_family_id, p_collection_id, p_actor, p_reason, p_now);
    ELSE
        UPDATE iu_core.iu_collection_template_version AS v
           SET supersedes_collection_id = p_collection_id
         WHERE v.template_collection_id = v_higher;
    END IF;
END
$$;
