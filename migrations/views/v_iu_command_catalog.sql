-- grant: iu_app, iu_reader
-- The governed vocabulary: every operation that may change state.
CREATE OR REPLACE VIEW iu_core.v_iu_command_catalog AS
SELECT c.command_code,
       c.title,
       c.authority,
       c.required_scope,
       c.elevated_scope,
       c.elevated_for,
       c.required_gates,
       c.reversible,
       c.reversed_by,
       c.handler_functions,
       c.http_operation,
       c.cli_commands
  FROM iu_core.dot_iu_command_catalog AS c;
