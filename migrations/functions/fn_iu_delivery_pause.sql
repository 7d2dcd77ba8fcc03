-- grant: owner only
-- How long to wait after so many attempts that failed; NULL: no more, it is a dead letter. The
-- schedule of Standard Webhooks: ten attempts over three days, and up to a fifth more, so that what
-- failed together does not come again together. An endpoint may ask for more, up to a day.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_delivery_pause(p_attempts integer, p_retry_after_s integer)
RETURNS interval
LANGUAGE sql VOLATILE
AS $$
    SELECT greatest(
               (ARRAY['5 s', '5 min', '30 min', '2 h', '5 h', '10 h', '14 h', '20 h', '24 h']
                   ::interval[])[p_attempts] * (1 + random() / 5),
               least(coalesce(p_retry_after_s, 0), 86400) * interval '1 s')
     WHERE p_attempts BETWEEN 1 AND 9
$$;
