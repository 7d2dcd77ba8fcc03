-- grant: owner only
-- Whether a message tells of what was rolled back since: it never leaves any more.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_outbox_is_void(p_subject_id uuid, p_sequence integer)
RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (SELECT FROM iu_core.event_outbox AS n
                    WHERE n.subject_id = p_subject_id
                      AND n.sequence > p_sequence
                      AND n.event_type = 'iu.template.instance_rolled_back')
$$;
