-- grant: iu_app, iu_reader
-- The items of operations, and what became of each; outcome NULL: not attempted. code and details
-- are those of a refusal, or of what a dry run would have met. The order is there where instances
-- are made, without the event's payload.
CREATE OR REPLACE VIEW iu_core.v_iu_operation_item AS
SELECT i.operation_id,
       i.ordinal,
       i.outcome,
       i.instance_collection_id,
       i.code,
       i.details,
       i.attempted_at,
       (i.request ->> 'event_id')::uuid AS event_id,
       i.request ->> 'event_type' AS event_type,
       i.request ->> 'template' AS template,
       i.request ->> 'suffix' AS suffix,
       i.request ->> 'actor' AS actor,
       i.request ->> 'emit_mode' AS emit_mode
  FROM iu_core.iu_operation_item AS i;
