-- grant: iu_app, iu_reader
-- The schemas by which templates ask for data; schema is RFC 8785 text.
CREATE OR REPLACE VIEW iu_core.v_iu_template_schema AS
SELECT s.schema_digest,
       s.schema
  FROM iu_core.iu_template_schema AS s;
