-- grant: iu_app
-- A source of raw webhooks with what its signatures are made with, as JSON; NULL: there is none.
-- The view of sources shows no secrets.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_source_lookup(p_source_name text)
RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
    SELECT to_jsonb(s) FROM iu_core.iu_event_source AS s WHERE s.source_name = p_source_name
$$;
