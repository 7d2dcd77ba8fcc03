-- grant: iu_app
-- Makes a source of raw webhooks, or changes one.
--   p_signature         github, standard_webhooks, or header: a secret in the header p_signature_header
--   p_secrets           one or two, the newer first; of header the SHA-256. NULL: those that are there
--   p_source            what its events have as their CloudEvents source
--   p_id_from, p_type_from  {"header"} or {"expression"}, as text; NULL: by the kind of signature
--   p_source_actor      as whom its events come in
-- Answers {"status": "ok", "created"}; refuses with invalid_input.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_source_put(
    p_source_name text, p_enabled boolean, p_signature text, p_signature_header text,
    p_secrets text[], p_source text, p_id_from text, p_type_from text, p_source_actor text,
    p_description text, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_where   constant text := 'should be {"header"} or {"expression"}, with a text of 1 to 2000';
    v_refused jsonb;
    v_now     timestamptz := iu_core.fn_iu_now();
    v_secrets text[];
    v_kept    boolean;
BEGIN
    PERFORM FROM iu_core.iu_event_source AS s WHERE s.source_name = p_source_name FOR NO KEY UPDATE;
    v_kept := FOUND;
    SELECT coalesce(p_secrets, s.secrets) INTO v_secrets
      FROM (SELECT) AS one
      LEFT JOIN iu_core.iu_event_source AS s ON s.source_name = p_source_name
                                            AND s.signature = p_signature;
    v_refused := iu_core.fn_iu_invalid_input('put_event_source',
        ARRAY['/name', '/signature', '/header', '/secrets', '/source', '/id', '/type', '/actor',
              '/description', '/reason'],
        ARRAY['should be 1 to 63 lower-case letters, digits, ., _ or -',
              'should be github, standard_webhooks or header',
              'should name a header, and stand only with the signature header',
              'should be one or two secrets; they are needed where the kind of signature is new',
              'should be one line of 1 to 200 characters', v_where, v_where,
              'should be an actor''s tag',
              'should be at most 2000 characters', 'should be one line of 1 to 500 characters'],
        ARRAY[p_source_name ~ '^[a-z0-9][a-z0-9._-]{0,62}$',
              p_signature IN ('github', 'standard_webhooks', 'header'),
              (p_signature = 'header') = (p_signature_header IS NOT NULL)
              AND coalesce(p_signature_header ~ '^[a-z0-9-]{1,100}$', true),
              cardinality(v_secrets) BETWEEN 1 AND 2 AND '' <> ALL (v_secrets),
              iu_core.fn_iu_is_line(p_source, 200), iu_core.fn_iu_is_event_origin(p_id_from),
              iu_core.fn_iu_is_event_origin(p_type_from), iu_core.fn_iu_is_actor(p_source_actor),
              length(p_description) <= 2000, iu_core.fn_iu_is_line(p_reason, 500)],
        p_actor, p_principal, p_request_id);
    IF v_refused IS NOT NULL THEN
        RETURN v_refused;
    END IF;

    INSERT INTO iu_core.iu_event_source AS s
           (source_name, enabled, signature, signature_header, secrets, source, id_from, type_from,
            actor, principal, description, created_at, updated_at, updated_by, reason)
    VALUES (p_source_name, coalesce(p_enabled, false), p_signature, p_signature_header, v_secrets,
            p_source, p_id_from::json, p_type_from::json, p_source_actor, p_principal,
            p_description, v_now, v_now, p_actor, p_reason)
        ON CONFLICT (source_name) DO UPDATE
       SET revision = s.revision + 1, enabled = excluded.enabled, signature = excluded.signature,
           signature_header = excluded.signature_header, secrets = excluded.secrets,
           source = excluded.source, id_from = excluded.id_from, type_from = excluded.type_from,
           actor = excluded.actor, principal = excluded.principal,
           description = excluded.description, updated_at = v_now, updated_by = p_actor,
           reason = p_reason;
    RETURN iu_core.fn_iu_done(
        'put_event_source', jsonb_build_object('status', 'ok', 'created', NOT v_kept),
        p_actor, p_principal, p_request_id,
        p_about => jsonb_build_object(
            'source_name', p_source_name, 'enabled', coalesce(p_enabled, false),
            'signature', p_signature, 'signature_header', p_signature_header,
            'secrets_replaced', p_secrets IS NOT NULL, 'source', p_source, 'id_from', p_id_from,
            'type_from', p_type_from, 'source_actor', p_source_actor, 'reason', p_reason));
END
$$;
