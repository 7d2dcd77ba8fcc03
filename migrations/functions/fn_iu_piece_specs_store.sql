-- grant: owner only
-- Makes the units of the pieces whose content is not known yet, in the order of their digests, so
-- that two authors who bring the same ones don't wait for each other in a circle. What somebody
-- else made meanwhile is taken, if it is active.
-- Raises unit_not_active.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_specs_store(p_specs jsonb, p_actor text, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_spec   record;
    v_is_new boolean;
    v_found  text[] := '{}';
BEGIN
    FOR v_spec IN
        SELECT DISTINCT ON (s.content_digest) s.*
          FROM iu_core.fn_iu_piece_specs_read(p_specs) AS s
         WHERE s.unit_id IS NULL
         ORDER BY s.content_digest, s.place
    LOOP
        SELECT c.is_new INTO v_is_new
          FROM iu_core.fn_iu_unit_claim(v_spec.media_type, v_spec.title, v_spec.body, 'active',
                                        v_spec.axes, NULL, p_actor, p_now) AS c;
        IF NOT v_is_new THEN
            v_found := v_found || v_spec.content_digest;
        END IF;
    END LOOP;
    PERFORM iu_core.fn_iu_piece_list_admit(v_found, '{}');
END
$$;
