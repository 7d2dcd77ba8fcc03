"""Rows as they leave app.db: plain mappings from column names to values."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import RowMapping

Row = Mapping[str, Any]
"""One row of a view."""


def row_of(found: RowMapping | None) -> Row | None:
    """A row, or None where there is none."""
    return None if found is None else {str(name): value for name, value in found.items()}


def rows_of(found: Iterable[RowMapping]) -> list[Row]:
    """Rows, in their order."""
    return [{str(name): value for name, value in row.items()} for row in found]
