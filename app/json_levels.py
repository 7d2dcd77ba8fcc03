"""A JSON document by depth, without recursion: it may be as deep as it likes."""

from collections.abc import Iterator
from typing import Any

MOST_DEPTH = 32
"""How deep objects and arrays may lie within each other, in schemas as in all bodies."""


def levels(document: Any) -> Iterator[list[Any]]:
    """The values of each depth: the document itself, then what lies in it, and so on."""
    level = [document]
    while level:
        yield level
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = below
