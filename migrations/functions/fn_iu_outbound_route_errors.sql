-- grant: owner only
-- What is wrong with an outbound route as it would be stored, as fn_iu_invalid_input refuses it; NULL
-- when all is right. Whether its endpoint may be connected to is the service's to say.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_outbound_route_errors(
    p_command text, p_route_name text, p_pattern text, p_endpoint text, p_secrets text[],
    p_description text, p_reason text, p_actor text, p_principal text, p_request_id uuid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN iu_core.fn_iu_invalid_input(p_command,
        ARRAY['/name', '/event_type', '/endpoint', '/secrets', '/description', '/reason'],
        ARRAY['should be 1 to 63 lower-case letters, digits, ., _ or -',
              'should be a type, or the beginning of types and an asterisk: at most 200 characters',
              'should be an https or http URL of at most 2000 characters',
              'should be one or two keys, each whsec_ and Base64; a new route needs them',
              'should be at most 2000 characters', 'should be one line of 1 to 500 characters'],
        ARRAY[p_route_name ~ '^[a-z0-9][a-z0-9._-]{0,62}$',
              iu_core.fn_iu_is_line(p_pattern, 200) AND p_pattern !~ '\*.',
              p_endpoint ~ '^https?://[!-~]+$' AND length(p_endpoint) <= 2000,
              cardinality(p_secrets) BETWEEN 1 AND 2
              AND NOT EXISTS (SELECT FROM unnest(p_secrets) AS s(secret)
                               WHERE s.secret IS NULL OR s.secret !~ '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$'),
              length(p_description) <= 2000, iu_core.fn_iu_is_line(p_reason, 500)],
        p_actor, p_principal, p_request_id);
END
$$;
