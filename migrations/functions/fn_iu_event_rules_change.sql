-- grant: owner only
-- Begins a new edition of the rules that events are judged by. Waits for the events that are being
-- taken by the old one: when a change of the rules is committed, no event is taken by the rules
-- before it any more. The last thing that a changing function does, so that nobody waits for it long.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_rules_change()
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM iu_core.fn_iu_lock('event_rules', ARRAY['event_rules'], false);
    UPDATE iu_core.iu_event_rules AS r SET revision = r.revision + 1;
END
$$;
