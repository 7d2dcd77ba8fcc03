-- grant: iu_app
-- The contract's rollback: removes what one actor composed, keeps the keys, and is a dry run unless
-- p_dry_run is false. The wider form has another name, because defaulted further arguments would
-- make the old call ambiguous. Answers and refusals are those of fn_iu_rollback_by_actor.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_auto_instantiate_rollback_by_actor(
    p_actor text, p_dry_run boolean DEFAULT true)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
BEGIN
    RETURN iu_core.fn_iu_rollback_by_actor(
        p_actor, p_dry_run, false, NULL, NULL, p_actor, 'sql:' || session_user, NULL);
END
$$;
