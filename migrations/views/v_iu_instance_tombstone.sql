-- grant: iu_app, iu_reader
-- Instances that were rolled back. The same one may have several rows, when its key was released
-- and the event sent again; released_at NULL means that the key is still kept.
CREATE OR REPLACE VIEW iu_core.v_iu_instance_tombstone AS
SELECT t.instance_collection_id,
       t.rollback_operation_id,
       t.event_id,
       t.event_type,
       t.reference_id,
       t.suffix,
       t.template_collection_id,
       r.template_key,
       t.actor,
       t.operation_id,
       t.composed_at,
       t.composition_digest,
       t.data_digest,
       t.rolled_back_at,
       t.rolled_back_by,
       t.reason,
       t.released_at,
       t.released_by,
       t.release_reason
  FROM iu_core.iu_instance_tombstone AS t
  LEFT JOIN iu_core.iu_collection_template_registry AS r
         ON r.template_collection_id = t.template_collection_id;
