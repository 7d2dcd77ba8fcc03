"""JSON as the factory reads it: RFC 8259 within the limits of I-JSON (RFC 7493).

Standard libraries forgive what must not be forgiven here: names that occur twice, NaN, numbers
that become infinite, halves of surrogate pairs, U+0000 (which PostgreSQL can't store) and integers
that a double can't hold, which would change on their way into a digest (RFC 8785).

What can't be parsed is answered with 400; what can be, but not taken, with 422 and a pointer to
every place.
"""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, NoReturn

from app.canonical_json import MAX_EXACT_INTEGER
from app.errors import Refusal
from app.json_pointer import pointer
from app.refusals.invalid import invalid_input
from app.refusals.members import MOST_ERRORS, InvalidField

JSON = "application/json"
MAX_DEPTH = 32
MAX_DOCUMENT = 1024 * 1024
"""Bytes of an ordinary body, of one item among many, and of one event."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SPACE = re.compile(r"[ \t\n\r]*")
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:[dD][89abAB]|[dD][c-fC-F]|0000)")
# Possessive, and content with a string that never ends: linear in whatever is sent.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TO_PARENTHESES = bytes.maketrans(b"[{]}", b"(())")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document stands among many: its index from 0, and its line from 1 if it has one."""

    index: int | None = None
    line: int | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """The beginning of every pointer into the document."""
        return () if self.index is None else (self.index,)

    @property
    def members(self) -> dict[str, Any]:
        """What a refusal that is no list of errors says of it."""
        return {} if self.line is None else {"line": self.line}


def parse_json(body: bytes) -> Any:
    """The value of a JSON document in UTF-8.

    Refuses with `too_deep`, or with `invalid_input` (400 when it is no JSON, else 422 with a
    pointer to everything that is wrong).
    """
    flaws = Flaws()
    value = parse_document(body, flaws)
    flaws.refuse()
    return value


def parse_document(body: bytes, flaws: "Flaws", place: Place | None = None) -> Any:
    """The value of one document of many; what can't be taken in it is added to the flaws.

    `place` is where among them it stands. Refuses with `too_deep`, and with `invalid_input` (400)
    when it is no JSON.
    """
    place = place or Place()
    if is_too_deep(body):
        raise too_deep(place)
    text = decode_text(body, place)
    try:
        value, end, flawed = decode_at(text, skip_space(text, 0), place)
        expect_end(text, end)
    except json.JSONDecodeError as error:
        raise no_json(error, place) from None
    if flawed:
        flaws.look(value, place)
    return value


def decode_at(text: str, begin: int, place: Place) -> tuple[Any, int, bool]:
    """The value that begins there, where it ends, and whether it is one for `Flaws` to look at.

    Refuses with `invalid_input` (400) what only looks like a number. Raises JSONDecodeError where
    it is no JSON, and RecursionError where it is far too deep.
    """
    try:
        try:
            value, end = _FAST.raw_decode(text, begin)
        except _FlawError:
            return *_THOROUGH.raw_decode(text, begin), True
    except _ConstantError as error:
        raise _unparseable(f"{error} is no JSON", place) from None
    escaped = text.find("\\u", begin, end) >= 0
    return value, end, escaped and _SUSPICIOUS_ESCAPE.search(text, begin, end) is not None


def expect_end(text: str, begin: int) -> None:
    """Raise JSONDecodeError where more than white space begins there."""
    if (end := skip_space(text, begin)) < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def skip_space(text: str, begin: int) -> int:
    """Where the white space that begins there ends."""
    match = _SPACE.match(text, begin)
    return match.end() if match else begin


def is_too_deep(body: bytes) -> bool:
    """Whether objects and arrays nest deeper than 32, without nesting anything to find out.

    A parser recurses, so this comes first: what is left of the document is its brackets, and the
    innermost pairs are taken away 32 times.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", body).translate(_TO_PARENTHESES, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        fewer = brackets.replace(b"()", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return b"()" in brackets or brackets.count(b"(") > MAX_DEPTH


def too_deep(place: Place) -> Refusal:
    """`too_deep`, for a document at that place."""
    return Refusal("too_deep", limit=MAX_DEPTH, **place.members)


def no_json(error: json.JSONDecodeError, place: Place) -> Refusal:
    """`invalid_input` for what can't be parsed, with the line of the whole body."""
    line = error.lineno + (place.line or 1) - 1
    return _unparseable(f"{error.msg}, at line {line} column {error.colno}", place)


def decode_text(body: bytes, place: Place) -> str:
    """The text of a body, or of one line of it. Refuses with `invalid_input` (400)."""
    what = "the body" if place.line is None else f"line {place.line}"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unparseable(f"{what} is no UTF-8, from byte {error.start} on", place) from None
    if text.startswith("\ufeff"):
        raise _unparseable(f"{what} begins with a byte order mark", place)
    return text


def _unparseable(detail: str, place: Place) -> Refusal:
    error = InvalidField(
        location="body",
        pointer=pointer(place.tokens),
        rule="json_invalid",
        detail=detail,
        line=place.line,
    )
    return invalid_input([error], detail="The body can't be parsed as JSON.", status=400)


class _FlawError(Exception):
    """There is something wrong; where, is looked for in a second pass."""


def _checked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs) or _CONTROL.search("".join(value)):
        raise _FlawError
    return value


def _checked_int(text: str) -> int:
    if len(text) > 17:
        raise _FlawError
    value = int(text)
    if len(text) > 15 and abs(value) > MAX_EXACT_INTEGER:
        raise _FlawError
    return value


def _checked_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _FlawError
    return value


class _ConstantError(Exception):
    """A number that JSON does not know; its name."""


def _no_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


_FAST = json.JSONDecoder(
    object_pairs_hook=_checked_object,
    parse_int=_checked_int,
    parse_float=_checked_float,
    parse_constant=_no_constant,
)


class _Object(dict[str, Any]):
    """An object that remembers the names which occurred more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs)
        self.repeated = [name for name, count in times.items() if count > 1]


class _Number:
    """A number that can't be taken, as it was written."""

    def __init__(self, rule: str, detail: str) -> None:
        self.rule = rule
        self.detail = detail


def _int_or_flaw(text: str) -> int | _Number:
    try:
        return _checked_int(text)
    except _FlawError:
        return _Number(
            "integer_not_exact",
            f"integers beyond ±{MAX_EXACT_INTEGER} are not exact as JSON numbers: send a text",
        )


def _float_or_flaw(text: str) -> float | _Number:
    try:
        return _checked_float(text)
    except _FlawError:
        return _Number("number_out_of_range", "the number is too large for a double (RFC 8785)")


_THOROUGH = json.JSONDecoder(
    object_pairs_hook=_Object,
    parse_int=_int_or_flaw,
    parse_float=_float_or_flaw,
    parse_constant=_no_constant,
)


class Flaws:
    """Everything in parsed documents that can't be taken, in their order."""

    def __init__(self) -> None:
        self._errors: list[InvalidField] = []
        self._omitted = 0

    def refuse(self) -> None:
        """Refuse with `invalid_input` where something was found: all of it."""
        if self._errors:
            raise invalid_input(self._errors, omitted=self._omitted)

    def look(self, document: Any, place: Place) -> None:
        """Look for flaws in a document as `_THOROUGH` reads it."""
        stack: list[tuple[tuple[str | int, ...], Any]] = [(place.tokens, document)]
        while stack:
            tokens, node = stack.pop()
            if tokens and isinstance(name := tokens[-1], str):
                self._look_at_text(name, tokens, place, is_key=True)
            if isinstance(node, dict):
                for name in getattr(node, "repeated", ()):
                    twice = "the name occurs more than once"
                    self._add((*tokens, name), place, "duplicate_key", twice)
                stack.extend(((*tokens, name), node[name]) for name in reversed(node))
            elif isinstance(node, list):
                stack.extend(((*tokens, i), node[i]) for i in reversed(range(len(node))))
            elif isinstance(node, str):
                self._look_at_text(node, tokens, place, is_key=False)
            elif isinstance(node, _Number):
                self._add(tokens, place, node.rule, node.detail)

    def _look_at_text(
        self, text: str, tokens: tuple[str | int, ...], place: Place, *, is_key: bool
    ) -> None:
        if is_key and _CONTROL.search(text):
            self._add(tokens, place, "control_character", "a name has no control characters")
        elif "\x00" in text:
            self._add(tokens, place, "nul_character", "U+0000 can't be stored")
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self._add(tokens, place, "lone_surrogate", "half of a surrogate pair is no character")

    def _add(self, tokens: tuple[str | int, ...], place: Place, rule: str, detail: str) -> None:
        if len(self._errors) == MOST_ERRORS:
            self._omitted += 1
            return
        self._errors.append(
            InvalidField(
                location="body",
                pointer=pointer(tokens),
                rule=rule,
                detail=detail,
                line=place.line,
            )
        )
