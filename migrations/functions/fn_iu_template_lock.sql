-- grant: owner only
-- Takes the exclusive lock of the family that a reference belongs to, and answers what the reference
-- means under it (a family's current version may have changed while the lock was waited for).
-- Raises template_collection_not_found and template_not_marked.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_lock(
    p_ref text,
    OUT template_collection_id uuid, OUT template_key text, OUT family_key text,
    OUT version_status text, OUT composition_digest text)
RETURNS record
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_family text;
    v_found  record;
BEGIN
    SELECT t.family_key INTO v_family FROM iu_core.fn_iu_template_resolve(ARRAY[p_ref]) AS t;
    PERFORM iu_core.fn_iu_lock('family', ARRAY[v_family], false);

    SELECT t.* INTO v_found FROM iu_core.fn_iu_template_resolve(ARRAY[p_ref]) AS t;
    IF v_found.collection_exists IS NOT TRUE THEN
        PERFORM iu_core.fn_iu_raise_refusal(
            'template_collection_not_found', jsonb_build_object('template', p_ref));
    ELSIF NOT v_found.is_marked OR v_found.family_key IS DISTINCT FROM v_family THEN
        -- Marked only now: another family's lock is held, or none.
        PERFORM iu_core.fn_iu_raise_refusal('template_not_marked', '{}');
    END IF;
    template_collection_id := v_found.template_collection_id;
    template_key := v_found.template_key;
    family_key := v_found.family_key;
    version_status := v_found.version_status;
    composition_digest := v_found.composition_digest;
END
$$;
