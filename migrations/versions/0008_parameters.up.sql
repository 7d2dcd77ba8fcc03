-- What data a template asks for. A schema is stored once, whichever templates ask for data by it, and
-- is never changed: a version that asks otherwise refers to another one. A reference table on a
-- distributed database, like the registry.

CREATE TABLE iu_core.iu_template_schema (
    schema_digest text PRIMARY KEY CHECK (schema_digest ~ '^[0-9a-f]{64}$'),
    schema        json NOT NULL
);
COMMENT ON COLUMN iu_core.iu_template_schema.schema IS
    'a JSON Schema as RFC 8785 text, byte for byte: schema_digest is its SHA-256';

ALTER TABLE iu_core.iu_collection_template_registry
    -- It locks and looks through two small tables that only authors write.
    -- squawk-ignore adding-foreign-key-constraint
    ADD COLUMN schema_digest text REFERENCES iu_core.iu_template_schema (schema_digest),
    ADD COLUMN empty_data_errors json CHECK (schema_digest IS NOT NULL OR empty_data_errors IS NULL);
COMMENT ON COLUMN iu_core.iu_collection_template_registry.schema_digest IS
    'by which data is judged before an instance is composed; NULL: any data is right';
COMMENT ON COLUMN iu_core.iu_collection_template_registry.empty_data_errors IS
    'what is wrong with no data, {"errors": [...]}; NULL: nothing. Whoever composes without data '
    'need not be able to judge it';

-- Looked up when the reference is resolved, and again under the locks.
ALTER TYPE iu_core.iu_compose_item
    ADD ATTRIBUTE schema_digest text;

-- What was found when the item was frozen, or by a runner since. No foreign key, as elsewhere here.
ALTER TABLE iu_core.iu_operation_item
    ADD COLUMN schema_digest text,
    ADD COLUMN data_errors json;
COMMENT ON COLUMN iu_core.iu_operation_item.schema_digest IS
    'by which its data was judged; NULL: it was not';
COMMENT ON COLUMN iu_core.iu_operation_item.data_errors IS
    'what was wrong with its data, {"errors": [...]}; NULL: nothing';
