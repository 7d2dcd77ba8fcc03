-- grant: iu_app
-- The key with an id, when it is in force: one row, or none. The caller compares the digest, in
-- constant time. seconds_left is NULL for a key that never expires.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_api_key_lookup(p_key_id text)
RETURNS TABLE (
    key_sha256 bytea, principal text, scope text, actor text, actor_prefixes text[],
    seconds_left double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now timestamptz := iu_core.fn_iu_now();
BEGIN
    RETURN QUERY
    SELECT k.key_sha256, k.principal, k.scope, k.actor, k.actor_prefixes,
           extract(epoch FROM k.expires_at - v_now)::double precision
      FROM iu_core.iu_api_key AS k
     WHERE k.key_id = p_key_id
       AND k.revoked_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > v_now);
END
$$;
