"""Template content as YAML files: how it is read, and the examples that `factory seed` loads."""

from app.content.models import (
    CreateFile,
    Edit,
    Insert,
    Move,
    Piece,
    Remove,
    Replace,
    TemplateFile,
    VersionFile,
)
from app.content.reading import ContentError, parse_template, read_template, seeds

__all__ = [
    "ContentError",
    "CreateFile",
    "Edit",
    "Insert",
    "Move",
    "Piece",
    "Remove",
    "Replace",
    "TemplateFile",
    "VersionFile",
    "parse_template",
    "read_template",
    "seeds",
]
