-- grant: owner only
-- The item, as the one that newly composes its instance. In SQL, so that it becomes part of the
-- query that asks for it: as a call of its own it cost more than a tenth of an INSERT.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_won(i iu_core.iu_compose_item)
RETURNS iu_core.iu_compose_item
LANGUAGE sql IMMUTABLE
AS $$
    SELECT ROW(
        i.ordinal, 'ok'::text, true, i.event_id, i.reference_id, i.instance_id, i.template_id,
        i.request_id, i.template_ref, i.event_type, i.suffix, i.actor, i.emit_mode, i.data_digest,
        i.composition_digest, i.require_current, i.allowed_actors, i.principal, i.lease_ids,
        i.warnings, i.details, i.template_key, i.family_key, i.piece_count,
        i.schema_digest)::iu_core.iu_compose_item
$$;
