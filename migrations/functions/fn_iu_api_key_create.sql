-- grant: iu_app
-- Stores a new key: its id, the SHA-256 of its text (which is never stored), whose it is, its
-- scope, its own actor, the prefixes of the other actors that it may act as, and when it expires
-- (NULL: never). A key's own actor does not end at - or :, where it would read as a prefix.
-- Answers {"status": "ok", "key_id", "created_at"}; refuses with invalid_input, already_exists.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_api_key_create(
    p_key_id text, p_key_sha256 bytea, p_owner text, p_scope text, p_key_actor text,
    p_actor_prefixes text[], p_expires_at timestamptz,
    p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_now      timestamptz := iu_core.fn_iu_now();
    v_prefixes text[] := coalesce(p_actor_prefixes, '{}');
    v_refused  jsonb;
BEGIN
    v_refused := iu_core.fn_iu_invalid_input('create_api_key',
        ARRAY['/key_id', '/key_sha256', '/principal', '/scope', '/actor', '/actor_prefixes',
              '/actor_prefixes', '/expires_at'],
        ARRAY['should be 4 to 32 digits and lower-case letters', 'should be 32 bytes',
              'should be one line of 1 to 200 characters that does not begin with jwt:',
              'should be producer, viewer, operator or admin',
              'should be an actor''s tag that does not end at - or :',
              'should be starts of actors'' tags that end at - or :',
              'should be at most 64', 'should lie in the future'],
        ARRAY[p_key_id ~ '^[0-9a-z]{4,32}$', length(p_key_sha256) = 32,
              iu_core.fn_iu_is_line(p_owner, 200) AND NOT starts_with(p_owner, 'jwt:'),
              p_scope IN ('producer', 'viewer', 'operator', 'admin'),
              iu_core.fn_iu_is_actor(p_key_actor) AND p_key_actor !~ '[:-]$',
              (SELECT bool_and(coalesce(iu_core.fn_iu_is_actor(a.prefix) AND a.prefix ~ '[:-]$', false))
                 FROM unnest(v_prefixes || 'any:'::text) AS a(prefix)),
              cardinality(v_prefixes) <= 64,
              p_expires_at IS NULL OR (p_expires_at > v_now AND isfinite(p_expires_at))],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    INSERT INTO iu_core.iu_api_key
           (key_id, key_sha256, principal, scope, actor, actor_prefixes, created_by, created_at,
            expires_at)
    VALUES (p_key_id, p_key_sha256, p_owner, p_scope, p_key_actor, v_prefixes, p_principal, v_now,
            p_expires_at)
        ON CONFLICT (key_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN iu_core.fn_iu_refuse('create_api_key', 'already_exists',
                                    jsonb_build_object('key', p_key_id),
                                    p_actor, p_principal, p_request_id);
    END IF;
    RETURN iu_core.fn_iu_done(
        'create_api_key',
        jsonb_build_object('status', 'ok', 'key_id', p_key_id, 'created_at', v_now),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object(
            'key_principal', p_owner, 'scope', p_scope, 'key_actor', p_key_actor,
            'actor_prefixes', v_prefixes, 'expires_at', p_expires_at));
END
$$;
