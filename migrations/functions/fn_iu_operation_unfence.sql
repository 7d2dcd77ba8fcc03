-- grant: owner only
-- Lets the actors of a rollback compose again, from the commit on. It needs no lock: who looked
-- before was refused, and that was true then.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_operation_unfence(p_operation_id uuid)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    DELETE FROM iu_core.iu_actor_fence AS f WHERE f.operation_id = p_operation_id
$$;
