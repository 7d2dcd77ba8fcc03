"""The items of a batch, each read by itself: a bad one does not spoil its neighbours."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from app.errors import Refusal
from app.http.items import Reading, read_array_into
from app.refusals.invalid import invalid_input, shortened
from app.refusals.members import MOST_ERRORS, InvalidField
from app.refusals.validation import Items
from app.strict_json import MAX_DOCUMENT, Flaws, Place

MOST_PASSED_OVER = 8 * MAX_DOCUMENT
"""Characters of a batch that may belong to items which are too large or too deep to be read. What
it costs to find where they end depends on their brackets: each run counts as 32 more."""

_RUN = 32

# Content with a string that never ends, as app.strict_json is, and matches up to the end: what
# had to fail would be tried from every place.
_STEP = re.compile(
    r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"?)*+(?:(?P<opened>[\[{]++)|(?P<closed>[\]}]++)|\Z)',
    re.DOTALL,
)
_SCALAR = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^\s,\]}]+', re.DOTALL)

ReadItem = Callable[[Any, Place], Any]
"""An item, of a value that was read from JSON at that place; refuses what is none."""


async def read_batch(chunks: AsyncIterator[bytes], *, most: int, read: ReadItem) -> Items:
    """The items of one JSON array in their order; the Refusal in place of each that is refused.

    Refuses as a whole what is no array, or no JSON; more items than `most`; and with its refusal an
    item that is too large or too deep when too many are: finding their ends takes time.
    """
    items = await read_array_into(_Batch(most, read), chunks)
    if not isinstance(items, Items):
        error = InvalidField(
            location="body", pointer="", rule="list_type", detail="should be an array"
        )
        raise invalid_input([error])
    return items


class _Batch(Reading):
    """Each for itself: what is wrong with an item is its own result."""

    def __init__(self, most: int, read: ReadItem) -> None:
        super().__init__(most)
        self._read = read
        self._told = 0
        self._may_pass = MOST_PASSED_OVER

    def take(self, value: Any, place: Place) -> None:
        """Add the item, or its refusal."""
        self.count_one(place)
        try:
            self.flaws.refuse()
            self.items.append(self._read(value, place))
        except Refusal as refusal:
            self.flaws = Flaws()
            self._refuse(refusal)

    def pass_over(self, text: str, at: int, refusal: Refusal) -> int:
        """Add the refusal of an item that could not be read, and go on behind it."""
        end = self._end_of_value(text, at)
        if end is None:
            raise refusal
        self.count_one(Place(self.count))
        self._refuse(refusal)
        return end

    def _end_of_value(self, text: str, at: int) -> int | None:
        """Where the JSON value that begins there ends; None: it does not, or it costs too much."""
        limit = at + self._may_pass
        if text[at] not in "[{":
            scalar = _SCALAR.match(text, at, limit)
            self._may_pass -= scalar.end() - at if scalar else 0
            return scalar.end() if scalar and scalar.end() < limit else None
        depth = 0
        for step in _STEP.finditer(text, at, limit):
            self._may_pass -= step.end() - step.start() + _RUN
            if self._may_pass < 0:
                break
            opened, closed = step.span("opened"), step.span("closed")
            depth += opened[1] - opened[0]
            if depth <= closed[1] - closed[0]:
                return closed[0] + depth
            depth -= closed[1] - closed[0]
        return None

    def _refuse(self, refusal: Refusal) -> None:
        # All that is wrong with the first events; of the others the first, so that the answer
        # can't grow out of proportion to what was sent.
        shown = shortened(refusal, max(1, MOST_ERRORS - self._told))
        errors: Any = shown.members.get("errors", ())
        self._told += len(errors)
        self.items.append(shown)
