-- grant: iu_app, iu_reader
-- The two settings that are no gates.
CREATE OR REPLACE VIEW iu_core.v_iu_setting AS
SELECT c.config_key AS setting_key,
       c.config_value AS value,
       c.updated_at AS changed_at,
       c.updated_by AS changed_by,
       c.reason,
       c.revision
  FROM iu_core.iu_core_config AS c
 WHERE NOT c.is_write_gate;
