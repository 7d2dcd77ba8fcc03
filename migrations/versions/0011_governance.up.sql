-- Governance: every operation that may change state, as the program says of itself. Its rows are no
-- history: grants/0200_commands.sql writes them anew whenever the database is brought up to date.
CREATE TABLE iu_core.dot_iu_command_catalog (
    command_code      text     PRIMARY KEY CHECK (command_code ~ '^[a-z][a-z0-9]*(_[a-z0-9]+)*$'),
    title             text     NOT NULL,
    authority         text     NOT NULL
        CHECK (authority IN ('scope', 'signature', 'service', 'owner', 'superuser')),
    required_scope    text     CHECK (required_scope IN ('producer', 'viewer', 'operator', 'admin')),
    elevated_scope    text     CHECK (elevated_scope IN ('producer', 'viewer', 'operator', 'admin')),
    elevated_for      text,
    required_gates    text[]   NOT NULL,
    reversible        boolean  NOT NULL,
    reversed_by       text     REFERENCES iu_core.dot_iu_command_catalog (command_code),
    handler_functions text[]   NOT NULL,
    http_operation    text     UNIQUE CHECK (http_operation ~ '^(GET|POST|PUT|PATCH|DELETE) /'),
    cli_commands      text[]   NOT NULL,
    CHECK ((required_scope IS NOT NULL) = (authority = 'scope')),
    CHECK ((elevated_scope IS NULL) = (elevated_for IS NULL)),
    CHECK (reversed_by IS NULL OR reversible)
);
COMMENT ON COLUMN iu_core.dot_iu_command_catalog.command_code IS
    'what the command record calls it; of an HTTP operation, its operationId';
COMMENT ON COLUMN iu_core.dot_iu_command_catalog.authority IS
    'scope: a caller''s; signature: a sender''s, of each request; service: a process of the service by '
    'itself; owner, superuser: whoever has that login';
COMMENT ON COLUMN iu_core.dot_iu_command_catalog.elevated_scope IS
    'of that form of it which elevated_for tells; NULL: there is none';
COMMENT ON COLUMN iu_core.dot_iu_command_catalog.required_gates IS
    'those that refuse it while they are closed; what it only sets going meets the gates of its own '
    'commands';
COMMENT ON COLUMN iu_core.dot_iu_command_catalog.reversed_by IS
    'NULL: no command takes it back or, where it is reversible, it leaves nothing to take back';
COMMENT ON COLUMN iu_core.dot_iu_command_catalog.handler_functions IS
    'that iu_app calls for it, the one that decides first; none: it is done by scripts';
COMMENT ON COLUMN iu_core.dot_iu_command_catalog.cli_commands IS 'of the program factory';
