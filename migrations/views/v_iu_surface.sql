-- grant: iu_app
-- The surfaces of the factory: how many rows each has now, and their digest, which tells a changed row
-- also where the count is the same. A further surface is a further SELECT here. Whoever reads all of it
-- in one statement reads one moment; it costs a look at every row, and locks none.
--   rows_hash  the sum of the rows' hashes: it needs no order, and is added up where the rows lie. A row's
--              hash is that of its columns, seeded by that of its key: so values that change
--              places show, too. Columns of json have none: such a row is named column by column
-- A part of a table is called <table>/<part>.
CREATE OR REPLACE VIEW iu_core.v_iu_surface AS
SELECT s.surface, s.row_count, md5(coalesce(s.rows_hash, 0)::text) AS digest
  FROM (
    SELECT 'information_unit', count(*),
           sum(hash_record_extended(ROW(t.*), uuid_hash_extended(t.unit_id, 0)))
      FROM iu_core.information_unit AS t
    UNION ALL
    -- One look for two. The rows of memberships are those of each collection's list, and a list is
    -- hashed once, whoever shares it.
    SELECT v.surface, v.row_count, v.rows_hash
      FROM (SELECT count(*) AS collections,
                   sum(hash_record_extended(ROW(t.*), uuid_hash_extended(t.collection_id, 0)))
                       AS collections_hash,
                   coalesce(sum(l.row_count), 0)::bigint AS memberships,
                   sum(hash_numeric_extended(l.rows_hash, uuid_hash_extended(t.collection_id, 0)))
                       AS memberships_hash
              FROM iu_core.iu_piece_collection AS t
              LEFT JOIN (SELECT p.composition_digest, count(*) AS row_count,
                                sum(hash_record_extended(ROW(p.*), hashint4extended(p.position, 0)))
                                    AS rows_hash
                           FROM iu_core.iu_composition_piece AS p
                          GROUP BY p.composition_digest) AS l
                     ON l.composition_digest = t.composition_digest) AS c
     CROSS JOIN LATERAL (VALUES
               ('iu_piece_collection', c.collections, c.collections_hash),
               ('iu_piece_membership', c.memberships, c.memberships_hash)
           ) AS v(surface, row_count, rows_hash)
    UNION ALL
    SELECT 'iu_collection_template_instance_lineage' AS surface, count(*),
           sum(hash_record_extended(ROW(t.*), uuid_hash_extended(t.instance_collection_id, 0)))
      FROM iu_core.iu_collection_template_instance_lineage AS t
    UNION ALL
    SELECT 'iu_auto_instantiate_event_log' AS surface, count(*),
           sum(hash_record_extended(
               ROW(t.instance_collection_id, t.event_id, t.reference_id, t.template_collection_id,
                   t.operation_id, t.request_id, t.composed_at, t.event_type, t.suffix, t.actor,
                   t.emit_mode, t.reason, t.data_digest, t.data::text, t.warnings, t.idempotency_key,
                   t.batch_id),
               uuid_hash_extended(t.instance_collection_id, 0)))
      FROM iu_core.iu_auto_instantiate_event_log AS t
    UNION ALL
    SELECT 'iu_collection_template_registry' AS surface, count(*),
           sum(hash_record_extended(
               ROW(t.template_collection_id, t.template_key, t.composition_digest, t.piece_count,
                   t.marked_by, t.marked_at, t.reason, t.schema_digest, t.empty_data_errors::text),
               uuid_hash_extended(t.template_collection_id, 0)))
      FROM iu_core.iu_collection_template_registry AS t
    UNION ALL
    SELECT 'iu_collection_template_version' AS surface, count(*),
           sum(hash_record_extended(ROW(t.*), uuid_hash_extended(t.template_collection_id, 0)))
      FROM iu_core.iu_collection_template_version AS t
    UNION ALL
    SELECT 'iu_lifecycle_log' AS surface, count(*),
           sum(hash_record_extended(ROW(t.*), hashint8extended(t.lifecycle_id, 0)))
      FROM iu_core.iu_lifecycle_log AS t
    UNION ALL
    SELECT 'iu_vector_sync_point' AS surface, count(*),
           sum(hash_record_extended(ROW(t.*), uuid_hash_extended(t.unit_id, 0)))
      FROM iu_core.iu_vector_sync_point AS t
    UNION ALL
    -- The units that carry an axis; one that none carries is no surface.
    SELECT 'iu_unit_axis/' || t.axis, count(*),
           sum(hash_record_extended(ROW(t.*), uuid_hash_extended(t.unit_id, 0)))
      FROM iu_core.iu_unit_axis AS t
     GROUP BY t.axis
    UNION ALL
    SELECT 'event_outbox/' || d.domain, coalesce(m.row_count, 0), m.rows_hash
      FROM (VALUES ('iu'), ('system')) AS d(domain)
      LEFT JOIN (SELECT t.domain, count(*) AS row_count,
                        sum(hash_record_extended(ROW(t.*), uuid_hash_extended(t.outbox_id, 0))) AS rows_hash
                   FROM iu_core.event_outbox AS t
                  GROUP BY t.domain) AS m ON m.domain = d.domain
    UNION ALL
    SELECT 'event_type_registry' AS surface, count(*),
           sum(hash_record_extended(
               ROW(t.event_type, t.delivery_lane, t.domain, t.description, t.created_at, t.version,
                   t.data_schema::text, t.updated_at, t.updated_by, t.reason),
               hashtextextended(t.event_type, 0)))
      FROM iu_core.event_type_registry AS t
    UNION ALL
    SELECT 'dot_iu_command_catalog' AS surface, count(*),
           sum(hash_record_extended(ROW(t.*), hashtextextended(t.command_code, 0)))
      FROM iu_core.dot_iu_command_catalog AS t
    UNION ALL
    SELECT 'iu_core_retention_policy' AS surface, count(*),
           sum(hash_record_extended(ROW(t.*), hashtextextended(t.target, 0)))
      FROM iu_core.iu_core_retention_policy AS t
    UNION ALL
    SELECT 'write_gates_open' AS surface, count(*),
           sum(hash_record_extended(ROW(g.gate_key, g.state), hashtextextended(g.gate_key, 0)))
      FROM iu_core.v_iu_gate AS g
     WHERE g.state <> 'closed'
  ) AS s(surface, row_count, rows_hash);
