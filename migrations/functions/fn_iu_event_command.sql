-- grant: owner only
-- The command by which events come in through a channel.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_event_command(p_channel text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN p_channel = 'http' THEN 'post_events'
                WHEN p_channel LIKE 'event-source:%' THEN 'receive_webhook'
                ELSE 'consume_events' END AS command
$$;
