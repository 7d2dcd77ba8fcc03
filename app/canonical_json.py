"""JSON in the one form that digests are taken of (RFC 8785)."""

import json
from typing import Any

import rfc8785

MAX_EXACT_INTEGER = 2**53 - 1
"""The largest integer that a double, and so JSON of every reader, holds exactly."""

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)


def canonical_json(value: Any) -> str:
    """The RFC 8785 text of a value that was read from JSON.

    Python's own encoder, which is in C, writes most documents alike, at a tenth of the cost. Where
    it would not, rfc8785 does, which also raises CanonicalizationError for what has no such text.
    """
    return _ENCODER.encode(value) if _is_plain(value) else rfc8785.dumps(value).decode()


def _is_plain(value: Any) -> bool:
    """Whether Python writes it alike.

    So it has no integers that a double is not exact for, no fractions that one of the two writes
    with an exponent, and no names that UTF-16 sorts differently.
    """
    if isinstance(value, str):
        return True
    if isinstance(value, dict):
        return all(map(str.isascii, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return 1e-4 <= abs(value) < 1e16 and not value.is_integer()
    return value is None or (isinstance(value, int) and abs(value) <= MAX_EXACT_INTEGER)
