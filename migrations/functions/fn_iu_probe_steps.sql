-- grant: owner only
-- The probes that ask for something, C1 to C10, as the contract has them (1-requirements).
--   place     the order in which they are asked: C8 and C10 behind C9, which they are about; and last
--             what locks the gates' rows, when all other locks are held
--   gates     open or closed to the probe meanwhile (fn_iu_probe_gates_set); NULL: as they are
--   event_id, template_id, emit_mode   what is composed; no mode: the actor's rollback is asked for
--   expected  members that the answer must have
CREATE OR REPLACE FUNCTION iu_core.fn_iu_probe_steps(p_template_id uuid, p_plain_id uuid, p_event_id uuid)
RETURNS TABLE (
    place integer, probe text, given text, gates text, event_id uuid, template_id uuid,
    emit_mode text, expected jsonb)
LANGUAGE sql VOLATILE
AS $$
    VALUES
    (1, 'C1', 'no event id', NULL, NULL, p_template_id, 'live',
     '{"status": "invalid_input"}'::jsonb),
    (2, 'C2', 'emit mode shadow', NULL, gen_random_uuid(), p_template_id, 'shadow',
     '{"status": "invalid_emit_mode"}'),
    (9, 'C3', 'live, its gate closed', 'closed', gen_random_uuid(), p_template_id, 'live',
     '{"status": "live_gate_closed", "gate": "iu_core.auto_instantiate_enabled"}'),
    (10, 'C4', 'dry run, the composer''s gate closed', 'closed', gen_random_uuid(), p_template_id,
     'dry_run', '{"status": "composer_gate_closed", "gate": "iu_core.composer_enabled"}'),
    (3, 'C5', 'a collection that is no template', 'open', gen_random_uuid(), p_plain_id, 'dry_run',
     '{"status": "template_not_marked"}'),
    (4, 'C6', 'an unknown template id', 'open', gen_random_uuid(), gen_random_uuid(), 'dry_run',
     '{"status": "template_collection_not_found"}'),
    (5, 'C7', 'dry run, all well', 'open', gen_random_uuid(), p_template_id, 'dry_run',
     '{"status": "ok", "pieces_attached": 5, "digest_matches_template": true}'),
    (7, 'C8', 'the same event, template and suffix twice', 'open', p_event_id, p_template_id, 'live',
     jsonb_build_object(
         'status', 'idempotent_replay',
         'instance_collection_id', md5(p_event_id || ':' || p_template_id || ':probe')::uuid)),
    (6, 'C9', 'live, both gates open', 'open', p_event_id, p_template_id, 'live',
     '{"status": "ok", "pieces_attached": 5, "digest_matches_template": true}'),
    (8, 'C10', 'rollback by actor, dry run', 'open', NULL, NULL, NULL,
     '{"status": "ok", "dry_run": true, "instances": 1, "lineage_rows": 1, "log_rows": 1}')
$$;
