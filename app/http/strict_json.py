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
from typing import Any, NoReturn

from app.errors import Refusal
from app.http.invalid import MOST_ERRORS, invalid_input, pointer
from app.refusals.members import InvalidField

MAX_DEPTH = 32
MAX_EXACT_INTEGER = 2**53 - 1

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:[dD][89abAB]|[dD][c-fC-F]|0000)")
# Possessive, and content with a string that never ends: linear in whatever is sent.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TO_PARENTHESES = bytes.maketrans(b"[{]}", b"(())")


def parse_json(body: bytes) -> Any:
    """The value of a JSON document in UTF-8.

    Refuses with `too_deep`, or with `invalid_input` (400 when it is no JSON, else 422 with a
    pointer to everything that is wrong).
    """
    if is_too_deep(body):
        raise Refusal("too_deep", limit=MAX_DEPTH)
    text = _decode(body)
    try:
        value = _FAST.decode(text)
    except json.JSONDecodeError as error:
        raise _unparseable(f"{error.msg}, at line {error.lineno} column {error.colno}") from None
    except _FlawError:
        raise _flaws(text) from None
    if "\\u" in text and _SUSPICIOUS_ESCAPE.search(text) and (found := _Flaws(value)).errors:
        raise found.refusal()
    return value


def parse_json_lines(body: bytes, *, line_limit: int) -> list[Any]:
    """The values of newline-delimited JSON, one a line; empty lines are passed over.

    Refuses like `parse_json`, with pointers as into one array of all values, and with `too_large`
    when a line is longer than `line_limit` bytes.
    """
    values: list[Any] = []
    for line in body.split(b"\n"):
        if len(line) > line_limit:
            raise item_too_large(len(values) + 1, line_limit)
        if line.strip():
            values.append(_parse_line(line, len(values)))
    return values


def item_too_large(ordinal: int, limit: int) -> Refusal:
    """`too_large` for one item of a bulk, by its place from 1."""
    said = f"Item {ordinal} takes more bytes than one item may."
    return Refusal("too_large", said, limit=limit, counted="bytes of one item")


def json_size(value: Any) -> int:
    """How many bytes a value takes as compact JSON in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


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


def _parse_line(line: bytes, index: int) -> Any:
    try:
        return parse_json(line)
    except Refusal as refusal:
        if isinstance(errors := refusal.members.get("errors"), list):
            for error in errors:
                error["pointer"] = f"/{index}{error['pointer']}"
        raise


def _decode(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unparseable(f"the body is no UTF-8, from byte {error.start} on") from None
    if text.startswith("\ufeff"):
        raise _unparseable("the body begins with a byte order mark")
    return text


def _unparseable(detail: str) -> Refusal:
    error = InvalidField(location="body", pointer="", rule="json_invalid", detail=detail)
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


def _no_constant(name: str) -> NoReturn:
    raise _unparseable(f"{name} is no JSON")


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


def _flaws(text: str) -> Refusal:
    try:
        value = _THOROUGH.decode(text)
    except json.JSONDecodeError as error:
        return _unparseable(f"{error.msg}, at line {error.lineno} column {error.colno}")
    return _Flaws(value).refusal()


class _Flaws:
    """Everything in a parsed document that can't be taken, in the document's order."""

    def __init__(self, document: Any) -> None:
        self.errors: list[InvalidField] = []
        self.omitted = 0
        stack: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
        while stack:
            tokens, node = stack.pop()
            if tokens and isinstance(name := tokens[-1], str):
                self._look_at_text(name, tokens, is_key=True)
            if isinstance(node, dict):
                for name in getattr(node, "repeated", ()):
                    self._add((*tokens, name), "duplicate_key", "the name occurs more than once")
                stack.extend(((*tokens, name), node[name]) for name in reversed(node))
            elif isinstance(node, list):
                stack.extend(((*tokens, i), node[i]) for i in reversed(range(len(node))))
            elif isinstance(node, str):
                self._look_at_text(node, tokens, is_key=False)
            elif isinstance(node, _Number):
                self._add(tokens, node.rule, node.detail)

    def refusal(self) -> Refusal:
        """All of them as one refusal."""
        return invalid_input(self.errors, omitted=self.omitted)

    def _look_at_text(self, text: str, tokens: tuple[str | int, ...], *, is_key: bool) -> None:
        if is_key and _CONTROL.search(text):
            self._add(tokens, "control_character", "a name has no control characters")
        elif "\x00" in text:
            self._add(tokens, "nul_character", "U+0000 can't be stored")
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self._add(tokens, "lone_surrogate", "half of a surrogate pair is no character")

    def _add(self, tokens: tuple[str | int, ...], rule: str, detail: str) -> None:
        if len(self.errors) == MOST_ERRORS:
            self.omitted += 1
        else:
            self.errors.append(
                InvalidField(location="body", pointer=pointer(tokens), rule=rule, detail=detail)
            )
