-- grant: owner only
-- Whether a gate admits an actor at a time without counting uses: it is open until closed, or
-- under a lease without a limit. Call it under the gate's lock, in a later statement.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_is_open(p_gate_key text, p_actor text, p_at timestamptz)
RETURNS boolean
LANGUAGE sql VOLATILE
AS $$
    SELECT iu_core.fn_iu_gate_admission(p_gate_key, p_actor, p_at) IS NOT NULL
$$;
