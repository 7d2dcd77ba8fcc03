-- grant: owner only
-- Takes the advisory locks of one class for all names, sorted by key, until the transaction ends.
-- NULL names are passed over. What the locks protect must be read in a LATER statement of a
-- VOLATILE function: this statement's snapshot is older than the locks. For the same reason it
-- raises 25000 in a transaction that keeps one snapshot, which any session may ask for: what it
-- reads under its locks would be from before them.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_lock(p_class text, p_names text[], p_shared boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_class integer := iu_core.fn_iu_lock_class(p_class);
    v_key   integer;
    v_taken text;
BEGIN
    IF v_class IS NULL THEN
        RAISE EXCEPTION 'no advisory-lock class %', p_class;
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = '25000',
            MESSAGE = 'what is read under a lock must be read in READ COMMITTED';
    END IF;
    -- One name, as mostly, needs no sorting, which is a statement of its own.
    IF cardinality(p_names) = 1 AND p_names[1] IS NOT NULL THEN
        v_key := iu_core.fn_iu_lock_key(p_names[1]);
        v_taken := CASE WHEN p_shared THEN pg_catalog.pg_advisory_xact_lock_shared(v_class, v_key)
                        ELSE pg_catalog.pg_advisory_xact_lock(v_class, v_key) END;
        RETURN;
    END IF;
    -- A sorted subquery hands its rows on in its order, and nothing above it changes that.
    PERFORM CASE WHEN p_shared THEN pg_catalog.pg_advisory_xact_lock_shared(v_class, k.key)
                 ELSE pg_catalog.pg_advisory_xact_lock(v_class, k.key) END
       FROM (SELECT DISTINCT iu_core.fn_iu_lock_key(n.name) AS key
               FROM unnest(p_names) AS n(name)
              WHERE n.name IS NOT NULL
              ORDER BY 1) AS k;
END
$$;
