-- grant: iu_app
-- Notes that a command was refused where the record of it did not stay: before a function was asked, or
-- by one whose transaction was undone. In a transaction of its own, after that. Counted in one row per
-- command, code, actor, principal and minute, as refusals at a closed gate are.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_refusal_note(
    p_command text, p_code text, p_actor text, p_principal text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
BEGIN
    PERFORM iu_core.fn_iu_refusals_count(
        p_command, ARRAY[p_code], ARRAY[NULL::uuid], ARRAY[p_actor], ARRAY[p_principal]);
END
$$;
