-- grant: owner only
-- Takes a version out of its family's chain: it is withdrawn, whoever superseded it supersedes its
-- predecessor now, and if it was current its predecessor is current again. The caller holds the
-- family's lock.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_leave_chain(
    p_collection_id uuid, p_actor text, p_reason text, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_version     iu_core.iu_collection_template_version;
    v_predecessor uuid;
BEGIN
    SELECT v.* INTO v_version FROM iu_core.iu_collection_template_version AS v
     WHERE v.template_collection_id = p_collection_id;
    v_predecessor := iu_core.fn_iu_template_neighbour(
        v_version.family_id, v_version.version_number, false);

    UPDATE iu_core.iu_collection_template_version AS v
       SET status = 'withdrawn', withdrawn_by = p_actor, withdrawn_at = p_now,
           withdrawn_reason = p_reason
     WHERE v.template_collection_id = p_collection_id;
    UPDATE iu_core.iu_collection_template_version AS v
       SET supersedes_collection_id = v_predecessor
     WHERE v.supersedes_collection_id = p_collection_id AND v.status <> 'withdrawn';
    IF v_version.status = 'current' THEN
        PERFORM iu_core.fn_iu_template_make_current(
            v_version.family_id, v_predecessor, p_actor, p_reason, p_now);
    END IF;
END
$$;
