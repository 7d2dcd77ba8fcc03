-- grant: owner only
-- Records a command that was carried out, and gives its answer back: the counterpart of
-- fn_iu_refuse. One command leaves one run, in its own transaction.
--   p_answer      {"status": "ok" | "idempotent_replay", ...}; what it says is kept with the run. Its
--                 member lease_ids, the leases that admitted the command, is for the run only, and is
--                 taken out of the answer
--   p_subject_id  what it was about, where that has a UUID
--   p_counts      of a batch, how many of its items came to what; NULL: it was none
--   p_about       what its answer leaves out, and a reader of the run needs: what was asked, of what, why
CREATE OR REPLACE FUNCTION iu_core.fn_iu_done(
    p_command text, p_answer jsonb, p_actor text, p_principal text, p_request_id uuid,
    p_subject_id uuid DEFAULT NULL, p_counts jsonb DEFAULT NULL, p_about jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_now    timestamptz := iu_core.fn_iu_fact_time();
    v_leases constant jsonb := nullif(p_answer -> 'lease_ids', 'null');
    v_answer constant jsonb := p_answer - 'lease_ids';
BEGIN
    INSERT INTO iu_core.iu_command_record
           (subject_id, template_collection_id, request_id, first_at, last_at, command, outcome,
            code, actor, principal, details, took_us, counts, lease_ids)
    VALUES (coalesce(p_subject_id, gen_random_uuid()),
            (p_answer ->> 'template_collection_id')::uuid, p_request_id, v_now, v_now, p_command,
            'done', p_answer ->> 'status', p_actor, p_principal,
            jsonb_strip_nulls(p_about) || v_answer - 'status',
            iu_core.fn_iu_took_us(), p_counts,
            CASE WHEN v_leases IS NOT NULL
                 THEN ARRAY(SELECT jsonb_array_elements_text(v_leases)::uuid) END);
    RETURN v_answer;
END
$$;
