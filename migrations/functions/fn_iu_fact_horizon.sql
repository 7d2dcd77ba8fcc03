-- grant: iu_app
-- How far facts can be read without missing one, for whoever asks again and again: begun_at is before
-- every fact of a transaction that got its number later; running are the numbers of those in this
-- database that have one now. So once none of them is running any more, all facts from before begun_at
-- can be seen. One that was prepared (PREPARE TRANSACTION) is running until it is committed or rolled back,
-- though no process has it. (The numbers in a snapshot would not do: those above its end may be running already.)
CREATE OR REPLACE FUNCTION iu_core.fn_iu_fact_horizon()
RETURNS TABLE (begun_at timestamptz, running text[])
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
    -- The statement's own time, which is before it looks.
    SELECT statement_timestamp() + c.set_ahead,
           ARRAY(SELECT l.transactionid::text
                   FROM pg_locks AS l
                   LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
                   LEFT JOIN pg_prepared_xacts AS x ON x.transaction = l.transactionid
                  WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
                    -- One look says who has a number. Of whom it is not known where (it was prepared,
                    -- or ended, between the looks) it is supposed to be here.
                    AND coalesce(a.datname, x.database, current_database()) = current_database())
      FROM iu_core.iu_clock AS c
$$;
