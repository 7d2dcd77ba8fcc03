-- grant: iu_app
-- Which edition of types, routes and settings is in force, and what it says of unknown types.
CREATE OR REPLACE VIEW iu_core.v_iu_event_rules AS
SELECT r.revision, c.config_value #>> '{}' AS unknown_event_types
  FROM iu_core.iu_event_rules AS r
 CROSS JOIN iu_core.iu_core_config AS c
 WHERE c.config_key = 'iu_core.unknown_event_types';
