"""How much a piece, and the filling of it, may be. Beyond any of these it is refused ("limit").

Most limits count, so that the same piece with the same data is refused on every machine or on none.
Time is the last of them: whatever the others let through ends soon after the deadline.
"""

import time
from collections.abc import Callable

MAX_SOURCE = 128 * 1024
"""Characters of a piece that has placeholders or tags."""

MAX_MARKUP = 64 * 1024
"""Characters of all its placeholders and tags."""

MAX_EXPRESSION = 500
"""Characters of one placeholder or tag. What python-liquid reads in it costs their square."""

MAX_NESTING = 20
"""Blocks within blocks, and expressions within expressions."""

MAX_ITEMS = 10_000
"""Items of a list that is looped over, or given to a filter or made by one."""

MAX_TURNS = 100_000
"""Turns of all loops of one piece."""

MAX_TEXT = 1024 * 1024
"""Characters of a text that a filter makes."""

MAX_FENCED = 64 * 1024
"""Characters of a text with a code block that is taken for Markdown: all its blocks are looked at,
which takes a second at worst."""

MAX_MADE = 8 * 1024 * 1024
"""Characters of everything that filters and captures of one piece make, kept or not."""

ITEM = 16
"""What an item of a list counts as, in characters of MAX_MADE."""

MAX_OUTPUT = 1024 * 1024
"""Bytes of one filled piece, in UTF-8: what a document has at most."""

MAX_NUMBER = 2**53 - 1
"""The largest number that arithmetic answers with, above and below 0 (RFC 7493)."""

FILLING_S = 1.0
"""Seconds for all pieces of one document."""


class Deadline:
    """When the filling of one document is given up; its pieces share it.

    Takes the seconds from now on, and the clock that they are read from.
    """

    __slots__ = ("_clock", "_end")

    def __init__(
        self, seconds: float = FILLING_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def passed(self) -> bool:
        """Whether the time is up."""
        return self._clock() >= self._end
