-- grant: owner only
-- The registry of advisory-lock classes: the first of the two integers of every advisory lock
-- that the factory takes. Locks are taken in this order, and sorted within a class:
--   event_rules  shared by taking events in; exclusive by whatever changes types, routes or what
--           is done with unknown types
--   gate    shared by whoever a gate guards; exclusive only by the drain that follows a closing
--   actor   shared by composing, by the plan of a rollback, and by whatever sends messages again;
--           exclusive by the rollback
--   family  shared by composing; exclusive by whatever changes a version chain
-- Apart from these, 718000 is the migration runner's, which can't ask for it here: it takes it
-- alone, before this function exists.
-- Before all of them comes the row of iu_operation of whoever runs or changes an operation.
-- Behind the instance keys comes one more:
--   outbound_routes  shared by whatever writes messages; exclusive by the drain that
--           follows a change of routes, lanes or live routes
--   retention  behind a gate: exclusive by whatever deletes what the policies let go, so that one does
--           after the other; then the policies' rows
-- Apart from all of these, audit is taken alone, exclusive by whatever seals or exports segments of the
-- audit chain; or behind retention, by what retires them.
-- Of envelopes: the unit's row, then those of the compositions that it stands in, sorted.
-- Of delivery's rows: those of routes before the actors' locks; deliveries in the order of their keys,
-- then attempts, then messages.
-- Instance keys come last but for that; they are not advisory locks but rows of iu_piece_collection.
-- Not STRICT: a CASE that is would be called instead of becoming part of the expression.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_lock_class(p_class text)
RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE p_class WHEN 'event_rules' THEN 718050
                        WHEN 'gate'   THEN 718100
                        WHEN 'actor'  THEN 718200
                        WHEN 'family' THEN 718300
                        WHEN 'outbound_routes' THEN 718400
                        WHEN 'audit'  THEN 718500
                        WHEN 'retention' THEN 718600
           END
$$;
