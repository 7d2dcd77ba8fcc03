-- grant: iu_app
-- How many attempts have begun and not ended, but for those that are lost. Called after the gate of
-- delivery was closed and drained, no more will.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_on_the_wire()
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
    SELECT count(*) FROM iu_core.iu_route_attempt AS a WHERE a.ended_at IS NULL AND a.leased_until > iu_core.fn_iu_now()
$$;
