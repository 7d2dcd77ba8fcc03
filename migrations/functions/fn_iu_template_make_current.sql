-- grant: owner only
-- Makes a version of a family the current one, and the one that is current now superseded; the log
-- of what was current has it from p_now on. NULL leaves the family without a current version: the
-- caller has taken the last one out of the chain.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_make_current(
    p_family_id uuid, p_collection_id uuid, p_actor text, p_reason text, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    UPDATE iu_core.iu_collection_template_version AS v SET status = 'superseded'
     WHERE v.family_id = p_family_id AND v.status = 'current';
    UPDATE iu_core.iu_collection_template_version AS v SET status = 'current'
     WHERE v.template_collection_id = p_collection_id;
    INSERT INTO iu_core.iu_collection_template_current_log
           (family_id, template_collection_id, current_from, actor, reason)
    VALUES (p_family_id, p_collection_id, p_now, p_actor, coalesce(p_reason, ''));
END
$$;
