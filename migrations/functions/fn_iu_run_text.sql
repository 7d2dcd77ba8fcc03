-- grant: owner only
-- A row of the command record as one line of JSON, which it is sealed by: jsonb's own text, with
-- times in UTC and microseconds (docs/audit.md). A column that comes later must not change the text of
-- a row that has nothing in it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_run_text(p_run iu_core.iu_command_record)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
               'record_id', p_run.record_id, 'subject_id', p_run.subject_id,
               'command', p_run.command, 'outcome', p_run.outcome, 'code', p_run.code,
               'template_collection_id', p_run.template_collection_id,
               'actor', p_run.actor, 'principal', p_run.principal,
               'request_id', p_run.request_id,
               'first_at', iu_core.fn_iu_utc(p_run.first_at),
               'last_at', iu_core.fn_iu_utc(p_run.last_at),
               'occurrences', p_run.occurrences, 'took_us', p_run.took_us,
               'counts', p_run.counts, 'lease_ids', p_run.lease_ids,
               'instances_digest', p_run.instances_digest, 'details', p_run.details)::text
$$;
