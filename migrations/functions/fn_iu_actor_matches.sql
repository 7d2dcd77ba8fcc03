-- grant: owner only
-- Whether an actor is among those that a caller may act as or read: p_allowed is a list joined by
-- spaces, each an actor, or a prefix that ends at '-' or ':'. NULL allows every actor.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_actor_matches(p_actor text, p_allowed text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT p_allowed IS NULL OR EXISTS (
        SELECT FROM pg_catalog.string_to_table(p_allowed, ' ') AS a(allowed)
         WHERE a.allowed <> ''
           AND (p_actor = a.allowed
                OR (pg_catalog.right(a.allowed, 1) IN ('-', ':')
                    AND pg_catalog.starts_with(p_actor, a.allowed))))
$$;
