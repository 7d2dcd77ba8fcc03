-- grant: owner only
-- How long the transaction has taken so far, in microseconds, by the machine's clock.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_took_us()
RETURNS bigint
LANGUAGE sql VOLATILE
AS $$
    -- A clock that is set back meanwhile makes it no less than nothing. date_part and not
    -- extract, which answers a numeric: that is dear to multiply.
    SELECT greatest(0, 1000000 * date_part(
               'epoch', pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp()))::bigint
$$;
