"""Pages of a list by keyset: a page token says after which row the next page begins.

Never by offset, which reads what it skips and slips when rows come and go. A token belongs to one
list with one set of filters, and says nothing that the client was not shown; for the client it is
opaque, and what was altered is refused.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from app.errors import Refusal
from app.refusals.members import InvalidField

Row = TypeVar("Row")

Position = tuple[Any, ...]
"""The values of the columns that a list is sorted by, in one row."""

_LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PageOf(Generic[Row]):
    """One page: its rows, and the token of the next page, or None on the last."""

    items: list[Row]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class Keyset:
    """The order of one list: its name, and the types of the columns that it is sorted by.

    The columns must be unique together. Types: str, int, UUID, datetime.
    """

    name: str
    types: tuple[type, ...]

    def position(
        self, page_token: str | None, filters: Mapping[str, object] | None = None
    ) -> Position | None:
        """After which row the page begins; None: at the start.

        Refuses with `invalid_input` a token that is none, or that belongs to another list or to
        other filters.
        """
        if page_token is None:
            return None
        try:
            document = json.loads(
                base64.b64decode(_padded(page_token), altchars=b"-_", validate=True)
            )
            origin, texts = document
            position = tuple(
                _read(kind, text) for kind, text in zip(self.types, texts, strict=True)
            )
            if origin == self._origin(filters) and self.token(position, filters) == page_token:
                return position
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise _not_a_token() from error
        raise _not_a_token()

    def token(self, position: Position, filters: Mapping[str, object] | None = None) -> str:
        """The token of the page that begins after the position."""
        document = [self._origin(filters), [_written(value) for value in position]]
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def page(
        self,
        rows: Sequence[Row],
        limit: int,
        position_of: Callable[[Row], Position],
        filters: Mapping[str, object] | None = None,
    ) -> PageOf[Row]:
        """The page that the rows make, when one row more than the limit was asked for."""
        items = list(rows[:limit])
        if len(rows) <= limit:
            return PageOf(items, None)
        return PageOf(items, self.token(position_of(items[-1]), filters))

    def _origin(self, filters: Mapping[str, object] | None) -> str:
        used = {name: value for name, value in (filters or {}).items() if value is not None}
        text = json.dumps([self.name, used], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _padded(token: str) -> str:
    return token + "=" * (-len(token) % 4)


def _written(value: object) -> str | int:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value if isinstance(value, int) else str(value)


def _read(kind: type, value: object) -> object:
    if kind is int:
        if type(value) is not int or abs(value) > _LARGEST_INTEGER:
            raise ValueError("no 64-bit integer")
        return value
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004 - one kind of failure: not a token
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is UUID:
        return UUID(value)
    if "\0" in value:
        raise ValueError("no text that PostgreSQL takes")
    value.encode()  # raises UnicodeEncodeError, a ValueError, for half a surrogate pair
    return value


def _not_a_token() -> Refusal:
    field = InvalidField(
        location="query",
        pointer="/page_token",
        rule="page_token",
        detail="should be the next_page_token of this list, with these filters",
    )
    return Refusal("invalid_input", errors=[field.model_dump(exclude_none=True)])
