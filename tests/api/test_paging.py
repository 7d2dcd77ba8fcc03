"""Page tokens: opaque, bound to their list, and harmless whatever comes instead of one."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Refusal
from app.paging import Keyset

LIST = Keyset("instances", (datetime, UUID, str, int))
POSITION = (datetime(2025, 6, 1, 12, 0, 0, 1, tzinfo=UTC), UUID(int=7), "ä/+", -3)


def refused(token: str, keyset: Keyset = LIST, **filters: object) -> bool:
    """Whether the token is refused, with the one pointer that it should be."""
    with pytest.raises(Refusal) as caught:
        keyset.position(token, filters)
    errors: Any = caught.value.members["errors"]
    return caught.value.code == "invalid_input" and [e["pointer"] for e in errors] == [
        "/page_token"
    ]


def encoded(document: object) -> str:
    """What a client could make up."""
    text = json.dumps(document, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def origin(keyset: Keyset = LIST) -> str:
    """The part of a token that says which list it belongs to."""
    token = keyset.token(POSITION)
    found: str = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))[0]
    return found


def test_a_token_leads_back_to_its_position() -> None:
    token = LIST.token(POSITION)
    assert LIST.position(token) == POSITION
    assert LIST.position(None) is None
    elsewhere = POSITION[0].astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert LIST.token((elsewhere, *POSITION[1:])) == token


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.integers(-(2**63) + 1, 2**63 - 1),
)
def test_every_position_has_a_token_of_plain_characters(
    at: datetime, identity: UUID, text: str, number: int
) -> None:
    token = LIST.token((at, identity, text, number))
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert LIST.position(token) == (at, identity, text, number)


@given(st.text(max_size=60))
def test_what_is_no_token_is_refused(text: str) -> None:
    assert refused(text)


def test_a_token_belongs_to_one_list_with_one_set_of_filters() -> None:
    token = LIST.token(POSITION, {"actor": "a", "template": None})
    assert LIST.position(token, {"actor": "a"}) == POSITION, "a filter that is not set is none"
    assert refused(token, actor="b")
    assert refused(token)
    assert refused(LIST.token(POSITION), Keyset("pieces", LIST.types))


def test_what_a_client_makes_up_is_refused() -> None:
    at, identity, text, number = "2025-06-01T12:00:00.000001+00:00", str(UUID(int=7)), "x", 1
    assert not isinstance(LIST.position(encoded([origin(), [at, identity, text, number]])), str)
    for values in (
        [],
        [at, identity, text],
        [at, identity, text, number, 1],
        [at, identity, text, 2**63],
        [at, identity, text, True],
        [at, identity, text, 1.5],
        [at, identity, text, "1"],
        [at, identity, "\0", number],
        [at, identity, "\ud800", number],
        [at, identity, None, number],
        [at, f"{{{identity}}}", text, number],
        [at, "x", text, number],
        ["2025-06-01T12:00:00", identity, text, number],
        ["2025-06-01T12:00:00+02:00", identity, text, number],
        ["0001-01-01T00:00:00+05:00", identity, text, number],
        ["now", identity, text, number],
        {"a": 1},
        "abcd",
        None,
    ):
        assert refused(encoded([origin(), values])), values
    documents: tuple[object, ...] = (
        1,
        None,
        [],
        [origin()],
        {"a": 1},
        [origin(), [], []],
        [[], []],
    )
    for document in documents:
        assert refused(encoded(document)), document
    nested = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")
    assert refused(nested)


def test_a_page_says_whether_there_is_another() -> None:
    keyset = Keyset("numbers", (int,))
    rows = [1, 2, 3]
    full = keyset.page(rows, 2, lambda row: (row,))
    assert full.items == [1, 2]
    assert keyset.position(full.next_page_token) == (2,)
    for limit in (3, 4):
        last = keyset.page(rows, limit, lambda row: (row,))
        assert (last.items, last.next_page_token) == (rows, None)
    assert keyset.page([], 5, lambda row: (row,)).next_page_token is None
    assert keyset.position(keyset.token((uuid4().int % 1000,))) is not None
