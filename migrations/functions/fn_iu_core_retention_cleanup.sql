-- grant: iu_app
-- The contract's retention: what the policies let go, as much as one call does; a dry run unless p_dry_run
-- is false. While its answer is not complete, it is to be called again: what is left is then in a plan
-- of its own. Answers and refusals are those of fn_iu_retention_cleanup.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_core_retention_cleanup(
    p_actor text, p_dry_run boolean DEFAULT true)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
BEGIN
    RETURN iu_core.fn_iu_retention_cleanup(
        p_dry_run, NULL, NULL, NULL, p_actor, 'sql:' || session_user, NULL);
END
$$;
