-- grant: owner only
-- The refusal code of a closed gate. The gate of live composing is called live_gate_closed by the
-- contract; every other gate lends its own name.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_code(p_gate_key text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT CASE p_gate_key
               WHEN 'iu_core.auto_instantiate_enabled' THEN 'live_gate_closed'
               ELSE pg_catalog.regexp_replace(p_gate_key, '^iu_core\.(.*)_enabled$', '\1_gate_closed')
           END
$$;
