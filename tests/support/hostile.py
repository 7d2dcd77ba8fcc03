"""What nobody should send: strategies of hypothesis for bodies, addresses and headers.

Bodies are made as text and not from values, since most of what is hostile in JSON is no value: a
name that occurs twice, a number that nothing holds, half of a surrogate pair.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

Draw = Callable[..., Any]


class Raw(str):
    """JSON as it is to be sent, whether it is any or not."""

    __slots__ = ()


def _text(content: str, times: int = 1) -> Raw:
    return Raw(json.dumps(content * times, ensure_ascii=False))


_TEXTS = (
    "",
    " ",
    "\u202e",  # turns the direction of what follows
    "\u200d\ufe0f",
    "e\u0301",
    "\ufdd0\uffff",  # no characters, and valid
    "\U0010ffff",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "'; DROP SCHEMA iu_core CASCADE; --",
    "%s%n%(x)s{0}$1\\",
    "../../etc/passwd",
    "null",
    "-infinity",
    "tpl:wf:onboarding",
    "tpl:wf:onboarding/v0",
    "tpl:wf:onboarding/v999999999",
    "tpl:wf:onboarding@v1/v1",
    "TPL:WF:ONBOARDING",
    "00000000-0000-0000-0000-000000000000",
    "{0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f}",
    "urn:uuid:0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.9999999Z",
    "9999-12-31T23:59:60-23:59",
    "2025-02-30T00:00:00Z",
    "99999-01-01T00:00:00Z",
    "text/markdown; charset=utf-8",
    "a" * 63,
    "a" * 64,
    "dry_run",
    "iu-core-",
)
_LONG = ((200, "x"), (201, "é"), (501, "x"), (2001, "𝔘"), (100_000, "x"), (2**20, "x"))
_OTHER = (
    r'"\u0000"',
    r'"a\u0000b"',
    r'"\ud800"',
    r'"\udc00\ud800"',
    r'"\u0085\u009f"',
    '"\x01"',
    '"\ud800"',  # becomes bytes that are no UTF-8
    '"\\x"',
    '"',
    "1e131071",
    "-1e131071",
    "1e-131071",
    "1e308",
    "5e-324",
    "-0",
    "-0.0",
    "1.0",
    "01",
    "9007199254740991",
    "9007199254740992",
    "9" * 400,
    "2147483648",
    "NaN",
    "-Infinity",
    "true",
    "false",
    "null",
    "nil",
    "[]",
    "{}",
    "",
    "[" * 40 + "]" * 40,
    '{"a":' * 40 + "1" + "}" * 40,
    "[" * 100_000,
    '{"a":1,"a":2}',
    "/* */ 1",
)

_VALUES = st.one_of(
    st.sampled_from(_TEXTS).map(_text),
    st.sampled_from(_LONG).map(lambda long: _text(long[1], long[0])),
    st.sampled_from(_OTHER).map(Raw),
    st.text(st.characters(), max_size=40).map(_text),
    st.integers().map(lambda number: Raw(str(number))),
    st.floats().map(lambda number: Raw(json.dumps(number))),
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: Raw(json.dumps(value))),
)
_NAMES = st.one_of(
    st.sampled_from((r'"\u0000"', r'"\ud800"', '""', '"__proto__"', '"a\\/b~"', '"constructor"')),
    st.text(st.characters(), max_size=20).map(_text),
    st.just("1"),
)


@st.composite
def spoilt_bodies(draw: Draw, order: dict[str, Any]) -> bytes:
    """An order in which one to three things are otherwise than they should be, as bytes."""
    tree = _tree(order)
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, tree)
    body = _written(tree).encode("utf-8", "surrogatepass")
    return draw(_damage(body)) if draw(st.integers(0, 9)) == 0 else body


@st.composite
def _damage(draw: Draw, body: bytes) -> bytes:
    place = draw(st.integers(0, len(body)))
    damages = (
        body[:place],
        body[:place] + draw(st.binary(min_size=1, max_size=4)) + body[place:],
        body + body,
        b"\xef\xbb\xbf" + body,
        body.decode("utf-8", "replace").encode("utf-16"),
        b"",
    )
    damaged: bytes = draw(st.sampled_from(damages))
    return damaged


def _tree(value: Any) -> Any:
    """The value with objects as lists of name and value, both as they will be written."""
    if isinstance(value, dict):
        return {"members": [[_text(name), _tree(inner)] for name, inner in value.items()]}
    if isinstance(value, list):
        return [_tree(inner) for inner in value]
    return Raw(json.dumps(value))


def _written(node: Any) -> str:
    if isinstance(node, dict):
        return "{" + ",".join(f"{name}:{_written(inner)}" for name, inner in node["members"]) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(_written, node)) + "]"
    return str(node)


def _spoil(draw: Draw, tree: Any) -> None:
    containers = [node["members"] for node in _nodes(tree) if node["members"]]
    if not containers:
        return
    members = draw(st.sampled_from(containers))
    place = draw(st.integers(0, len(members) - 1))
    name, value = members[place]
    match draw(st.sampled_from(("value", "value", "value", "name", "more", "twice", "less"))):
        case "value":
            members[place][1] = draw(_VALUES)
        case "name":
            members[place][0] = draw(_NAMES)
        case "more":
            members.insert(place, [draw(_NAMES), draw(_VALUES)])
        case "twice":
            members.append([name, draw(st.just(value) | _VALUES)])
        case "less":
            del members[place]


def _nodes(tree: Any) -> list[dict[str, Any]]:
    """Every object of the tree."""
    if isinstance(tree, dict):
        return [tree, *(node for _, inner in tree["members"] for node in _nodes(inner))]
    if isinstance(tree, list):
        return [node for inner in tree for node in _nodes(inner)]
    return []


_BYTES = st.one_of(
    st.sampled_from(_TEXTS).map(str.encode),
    st.sampled_from(
        (
            b"\x00",
            b"a\x00b",
            b"\xff",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xc2\x85",
            b"\n",
            b"-1",
            b"0",
            b"1e3",
            b"201",
            b"9" * 400,
            b"x" * 5000,
            b"a/b",
            b"..",
            b"%2500",
            b"true",
            b"W10",
            b"WyJ4IixbMV1d",
        )
    ),
    st.text(st.characters(), max_size=30).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=20),
)


@st.composite
def segments(draw: Draw) -> str:
    """What stands between two slashes of a path; percent-encoded, so that it can be sent."""
    return quote(draw(_BYTES.filter(bool)), safe="")


@st.composite
def queries(draw: Draw, names: tuple[str, ...]) -> str:
    """A query with some of the parameters, each with something; now and then one more."""
    pairs = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(names)) if names and draw(st.integers(0, 9)) else None
        named = name or quote(draw(_BYTES), safe="")
        pairs.append(f"{named}={quote(draw(_BYTES), safe=draw(st.sampled_from(('', '/:@'))))}")
    return "&".join(pairs)


HEADER_VALUES = st.one_of(
    st.sampled_from(
        (
            b'""',
            b'"',
            b'"0"',
            b'"2"',
            b'"2", W/"3"',
            b'"' + b"9" * 400 + b'"',
            b"*",
            b"Bearer",
            b"Bearer pf_",
            b"Bearer a.b.c",
            b"Basic eA==",
            b"application/json;q=0",
            b"application/json;q=1e9",
            b"*/*;q=;;,",
            b"null",
            b"x" * 2000,
        )
    ),
    st.binary(max_size=30).map(
        # A client can't send these, and a server refuses them before any of this is reached.
        lambda value: bytes(byte for byte in value if byte >= 0x20 and byte != 0x7F).strip()
    ),
)
"""What may stand after a header's name, whatever it means."""
