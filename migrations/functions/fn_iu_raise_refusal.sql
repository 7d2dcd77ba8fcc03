-- grant: owner only
-- Raises a refusal out of a verb: the code is the message, its members are the detail. The command
-- that uses the verb catches PFREF, by which what was written is undone, and records the refusal
-- outside of what is undone.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_raise_refusal(p_code text, p_details jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PFREF', MESSAGE = p_code, DETAIL = p_details::text;
END
$$;
