-- grant: owner only
-- Raises 40001: what was to be answered with is gone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_lost(p_instance_id uuid)
RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '40001',
        MESSAGE = format('instance %s was rolled back while it was being answered', p_instance_id);
END
$$;
