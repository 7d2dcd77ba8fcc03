-- grant: owner only
-- What a dry run's verdict says of the live call; NULL where the dry run itself was refused or not
-- decided, or the call was no dry run.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_would_be(p_emit_mode text, p_status text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN p_emit_mode IS DISTINCT FROM 'dry_run' THEN NULL
                WHEN p_status = 'ok' THEN 'composed'
                WHEN p_status = 'idempotent_replay' THEN 'replayed'
                WHEN p_status NOT IN ('invalid_input', 'composer_gate_closed', 'gate_sealed',
                                      'actor_not_allowed', 'data_unjudged') THEN 'refused'
           END
$$;
