"""JSON Schemas from operators: checked strictly, and bounded in time and memory."""

from app.json_schema.flaws import Flaw, FlawedSchemaError
from app.json_schema.schema import Schema, compile_schema, schema_of

__all__ = ["Flaw", "FlawedSchemaError", "Schema", "compile_schema", "schema_of"]
