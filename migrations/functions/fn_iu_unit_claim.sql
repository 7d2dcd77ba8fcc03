-- grant: owner only
-- The unit with this content: a new one, or the one that is there. Content is unique, so of
-- several at the same time one makes it and the others wait for its transaction and find it. Where
-- nothing is inserted a separate statement looks; if the other rolled back it is tried again, 3
-- times. p_media_type is as stored; the birth of a unit is no step of its life, so it is not logged.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_unit_claim(
    p_media_type text, p_title text, p_body text, p_life text, p_axes jsonb,
    p_supersedes_unit_id uuid, p_actor text, p_now timestamptz,
    OUT claimed_id uuid, OUT is_new boolean)
RETURNS record
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_digest text := iu_core.fn_iu_content_digest(p_media_type, p_title, p_body);
BEGIN
    FOR v_attempt IN 1..3 LOOP
        INSERT INTO iu_core.information_unit AS u
               (content_digest, media_type, title, body, life, supersedes_unit_id, created_by, created_at)
        VALUES (v_digest, p_media_type, p_title, p_body, p_life, p_supersedes_unit_id, p_actor, p_now)
            ON CONFLICT (content_digest) DO NOTHING
        RETURNING u.unit_id INTO claimed_id;
        is_new := FOUND;
        IF is_new THEN
            INSERT INTO iu_core.iu_unit_axis (unit_id, axis, value)
            SELECT claimed_id, a.axis, a.value FROM jsonb_each_text(p_axes) AS a(axis, value);
            RETURN;
        END IF;

        SELECT u.unit_id INTO claimed_id
          FROM iu_core.information_unit AS u WHERE u.content_digest = v_digest;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = '40001',
        MESSAGE = 'a content was taken and given back three times while it was being claimed';
END
$$;
