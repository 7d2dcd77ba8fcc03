-- grant: owner only
-- The number of the last message of each of these subjects, as an object; those without any are left
-- out. Messages of one subject are written by one transaction after the other: composing has claimed
-- its key, a rollback has locked its actor.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_outbox_sequences(p_subject_ids uuid[])
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(jsonb_object_agg(s.subject_id, s.last), '{}')
      FROM (SELECT o.subject_id, max(o.sequence) AS last
              FROM iu_core.event_outbox AS o
             WHERE o.subject_id = ANY (p_subject_ids)
             GROUP BY o.subject_id) AS s
$$;
