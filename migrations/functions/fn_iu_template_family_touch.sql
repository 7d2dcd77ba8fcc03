-- grant: owner only
-- Makes a family, or counts one more change of its version chain; answers its id. Title and
-- description are taken only when it is made. The caller holds the family's lock.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_family_touch(
    p_family_key text, p_title text, p_description text, p_actor text, p_now timestamptz)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_family_id uuid;
BEGIN
    INSERT INTO iu_core.iu_collection_template_family AS f
           (family_key, title, description, created_by, created_at)
    VALUES (p_family_key, coalesce(p_title, ''), coalesce(p_description, ''), p_actor, p_now)
        ON CONFLICT (family_key) DO UPDATE SET chain_revision = f.chain_revision + 1
    RETURNING f.family_id INTO v_family_id;
    RETURN v_family_id;
END
$$;
