-- grant: owner only
-- The gates that a composing call's own window opens, sorted.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_gate_window_keys()
RETURNS text[]
LANGUAGE sql IMMUTABLE
AS $$
    SELECT ARRAY['iu_core.auto_instantiate_enabled', 'iu_core.composer_enabled']
$$;
