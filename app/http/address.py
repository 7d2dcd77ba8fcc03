"""What a request's address and headers may hold, and what its `Accept` rules out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from app.errors import Refusal
from app.json_pointer import pointer
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField, Location

_HEADER_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ADDRESS_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def check_address(scope: Scope, known_parameters: Mapping[str, bool]) -> None:
    """Refuse with `invalid_input` what can't be meant in a path, a query or a header.

    Takes the names of the query's parameters, and whether each may occur more than once. Refused
    are control characters, bytes that are no UTF-8 (400, since they are no text at all), and
    parameters that the operation does not know or that occur too often.
    """
    errors: list[InvalidField] = []
    raw_path: bytes = scope.get("raw_path") or b""
    if b"%" in raw_path or not raw_path:
        path = unquote_to_bytes(raw_path or scope["path"])
        errors += _text_errors(path, "path", "")
    query: bytes = scope["query_string"]
    if query:
        errors += _query_errors(query, known_parameters)
    for name, value in scope["headers"]:
        if _HEADER_CONTROL.search(value):
            errors.append(_control_character("header", pointer([name.decode("latin-1")])))
    if errors:
        broken = any(error.rule == "not_utf8" for error in errors)
        raise invalid_input(errors, status=400 if broken else None)


def check_accept(scope: Scope, available: Iterable[str]) -> None:
    """Refuse with `not_acceptable` when `Accept` rules out every available media type."""
    accept = _accept(scope)
    if not accept or accept == b"*/*":
        return
    ranges = _media_ranges(accept)
    if not any(_quality(media_type, ranges) > 0 for media_type in available):
        raise Refusal("not_acceptable", available=list(available))


def preferred(scope: Scope, available: Sequence[str]) -> str:
    """Which of the media types `Accept` would rather have; the first where it does not mind."""
    ranges = _media_ranges(_accept(scope))
    return max(available, key=lambda media_type: _quality(media_type, ranges))


def _accept(scope: Scope) -> bytes:
    return b",".join(value for name, value in scope["headers"] if name == b"accept")


def _query_errors(query: bytes, known: Mapping[str, bool]) -> list[InvalidField]:
    errors: list[InvalidField] = []
    seen: set[str] = set()
    for part in query.split(b"&"):
        if not part:
            continue
        raw_name, _, raw_value = part.replace(b"+", b" ").partition(b"=")
        name = unquote_to_bytes(raw_name).decode("utf-8", "replace")
        where = pointer([name])
        errors += _text_errors(unquote_to_bytes(raw_name), "query", where)
        errors += _text_errors(unquote_to_bytes(raw_value), "query", where)
        if name not in known:
            errors.append(_field("query", where, "extra_forbidden", "there is no such parameter"))
        elif name in seen and not known[name]:
            errors.append(_field("query", where, "duplicate_key", "the name occurs more than once"))
        seen.add(name)
    return errors


def _text_errors(raw: bytes, location: Location, where: str) -> list[InvalidField]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return [_field(location, where, "not_utf8", "percent-encoded text must be UTF-8")]
    if _ADDRESS_CONTROL.search(text):
        return [_control_character(location, where)]
    return []


def _control_character(location: Location, where: str) -> InvalidField:
    return _field(location, where, "control_character", "control characters are not taken here")


def _field(location: Location, where: str, rule: str, detail: str) -> InvalidField:
    return InvalidField(location=location, pointer=where, rule=rule, detail=detail)


def _media_ranges(accept: bytes) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = _number(value.strip())
        if media_range:
            ranges[media_range] = max(quality, ranges.get(media_range, 0.0))
    return ranges


def _number(text: str) -> float:
    # A quality that is none says nothing, and must not rule anything out (RFC 9110, 12.4.2).
    return float(text) if re.fullmatch(r"[01](?:\.[0-9]{0,3})?", text) else 1.0


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    """The most specific range that covers the media type decides (RFC 9110, 12.5.1)."""
    main = media_type.partition("/")[0]
    for candidate in (media_type, f"{main}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0 if ranges else 1.0
