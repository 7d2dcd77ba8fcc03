"""JSON Schemas from operators: checked strictly, and bounded in time and memory."""

from app.json_schema.flaws import Flaw, FlawedSchemaError
from app.json_schema.keywords import SubSchema
from app.json_schema.schema import Schema, compile_schema, matches

__all__ = ["Flaw", "FlawedSchemaError", "Schema", "SubSchema", "compile_schema", "matches"]
