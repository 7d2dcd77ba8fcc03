-- grant: owner only
-- Whether a text is an actor's tag.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_is_actor(p_text text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(p_text ~ '^[a-z0-9][a-z0-9._:-]{0,127}$', false)
$$;
