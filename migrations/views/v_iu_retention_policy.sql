-- grant: iu_app, iu_reader
-- How long each of the four targets of retention is kept, and who said so last.
CREATE OR REPLACE VIEW iu_core.v_iu_retention_policy AS
SELECT p.target, p.keep_days, p.enabled, p.updated_at AS changed_at, p.updated_by AS changed_by,
       p.reason, p.revision
  FROM iu_core.iu_core_retention_policy AS p;
