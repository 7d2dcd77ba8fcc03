"""The items of a bulk, each parsed and validated by itself, so that others have their turns.

An item that is not as its type wants it stays as it was sent: FastAPI says what is wrong with it,
together with everything else that is wrong with the request.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic import ValidationError

from app.errors import Refusal
from app.refusals.members import MOST_ERRORS
from app.refusals.validation import Items
from app.strict_json import (
    MAX_DOCUMENT,
    Flaws,
    Place,
    decode_at,
    decode_text,
    expect_end,
    is_too_deep,
    no_json,
    parse_document,
    parse_json,
    skip_space,
    too_deep,
)
from app.turns import LARGE, Turns

_CUT_OFF = 16  # characters within which the end of a window breaks a word or an escape

_EMPTY_LINES = re.compile(rb"\s*\n")

Validate = Callable[[Any], Any]
"""The value as its type wants it; raises ValidationError."""


async def read_lines(chunks: AsyncIterator[bytes], *, most: int, validate: Validate) -> Items:
    """The items of newline-delimited JSON, one a line; empty lines are passed over.

    Refuses as `parse_json` does, naming the line, and with `too_large` when a line is longer than
    1 MiB or there are more than `most` of them.
    """
    reading = _Bulk(most, validate)
    turns = Turns()
    async for number, line in _lines(chunks):
        place = Place(reading.count, number)
        if len(line) > MAX_DOCUMENT:
            raise _item_too_large(place)
        if line.strip():
            await turns.do(len(line), reading.take_line, line, place)
    return reading.done()


async def read_array(chunks: AsyncIterator[bytes], *, most: int, validate: Validate) -> Any:
    """The items of one JSON array; or whatever else the body is, which no bulk wants.

    Refuses as `parse_json` does, and with `too_large` when an item takes more than 1 MiB or there
    are more than `most` of them.
    """
    return await read_array_into(_Bulk(most, validate), chunks)


async def read_array_into(reading: "Reading", chunks: AsyncIterator[bytes]) -> Any:
    """As `read_array`; what becomes of each item, and of one that is refused, `reading` decides."""
    body = b"".join([chunk async for chunk in chunks])
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        if len(body) > MAX_DOCUMENT:
            raise _item_too_large(Place(0))
        return parse_json(body)
    text = decode_text(body, Place())
    turns = Turns()
    window = _Window(text)
    at = skip_space(text, skip_space(text, 0) + 1)
    try:
        more = not text.startswith("]", at)
        while more:
            try:
                end = await turns.do(window.size, reading.take_next, window, at)
            except Refusal as refusal:
                end = await turns.do(len(text) - at, reading.pass_over, text, at, refusal)
            if end is None:
                window.grow(at)
                continue
            at = skip_space(text, end)
            more = text.startswith(",", at)
            at = skip_space(text, at + 1) if more else at
        _expect_end_of_array(text, at)
    except json.JSONDecodeError as error:
        raise no_json(error, Place()) from None
    return reading.done()


def _expect_end_of_array(text: str, at: int) -> None:
    if not text.startswith("]", at):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    expect_end(text, at + 1)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """The lines and their numbers, each as soon as it is whole; one too long as soon as it is.

    Of empty lines behind each other not all come.
    """
    rest = bytearray()
    searched = 0
    number = 1
    async for chunk in chunks:
        rest += chunk
        while (end := rest.find(b"\n", searched)) >= 0:
            yield number, bytes(rest[:end])
            # Together: they are no items, so nothing but the body's size says how many there are.
            empty = _EMPTY_LINES.match(rest, end + 1)
            after = empty.end() if empty else end + 1
            number += rest.count(b"\n", end, after)
            del rest[:after]
            searched = 0
        searched = len(rest)
        if searched > MAX_DOCUMENT:
            break
    if rest:
        yield number, bytes(rest)


class _Window:
    """A part of a long text that is parsed at a time, so that no call takes as long as the text.

    It begins at an item, and grows until that is in it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._begin = 0
        self._part = text[:LARGE]

    @property
    def size(self) -> int:
        """How many characters are parsed at a time."""
        return len(self._part)

    def grow(self, at: int) -> None:
        """Begin at the item there; where it began there before, reach farther."""
        size = 4 * len(self._part) if at == self._begin else LARGE
        self._begin = at
        self._part = self.text[at : at + min(size, MAX_DOCUMENT + _CUT_OFF)]

    def decode(self, at: int, place: Place) -> tuple[Any, int, bool] | None:
        """The value there, where it ends, and whether it has flaws; None: grow, and ask again.

        Raises JSONDecodeError with the place in the whole text.
        """
        within = at - self._begin
        last = self._begin + len(self._part) == len(self.text)
        try:
            value, end, flawed = decode_at(self._part, within, place)
        except json.JSONDecodeError as error:
            if not last and (within or len(self._part) < MAX_DOCUMENT):
                return None
            if not last and self._is_cut_off(error):
                raise _item_too_large(place) from None
            raise json.JSONDecodeError(error.msg, self.text, self._begin + error.pos) from None
        if end == len(self._part) and not last:
            return None
        return value, self._begin + end, flawed

    def _is_cut_off(self, error: json.JSONDecodeError) -> bool:
        near_the_end = error.pos >= len(self._part) - _CUT_OFF
        return near_the_end or error.msg.startswith("Unterminated string")


class Reading(ABC):
    """What has been read so far."""

    def __init__(self, most: int) -> None:
        self.items = Items()
        self.count = 0
        self.flaws = Flaws()
        self._most = most

    def take_line(self, line: bytes, place: Place) -> None:
        """Add the item of a line."""
        value = parse_document(line, self.flaws, place)
        self.take(value, place)

    def take_next(self, window: _Window, at: int) -> int | None:
        """Add the item that begins there; where it ends, or None where the window must grow."""
        place = Place(self.count)
        try:
            found = window.decode(at, place)
        except RecursionError:
            raise too_deep(place) from None
        if found is None:
            return None
        value, end, flawed = found
        sent = window.text[at:end].encode("utf-8", "surrogatepass")
        if len(sent) > MAX_DOCUMENT:
            raise _item_too_large(place)
        if is_too_deep(sent):
            raise too_deep(place)
        if flawed:
            self.flaws.look(value, place)
        self.take(value, place)
        return end

    def pass_over(self, _text: str, _at: int, refusal: Refusal) -> int:
        """Where the item that begins there ends, which is refused; raises what can't be passed."""
        raise refusal

    def done(self) -> Items:
        """All items. Refuses what can't be taken as JSON."""
        self.flaws.refuse()
        return self.items

    def count_one(self, place: Place) -> None:
        """Count the item at that place. Refuses with `too_large` what is one too many."""
        if self.count == self._most:
            raise Refusal("too_large", limit=self._most, counted="items", **place.members)
        self.count += 1

    @abstractmethod
    def take(self, value: Any, place: Place) -> None:
        """Add an item that was read from JSON."""


class _Bulk(Reading):
    """All or nothing: what is wrong with one item is wrong with the request."""

    def __init__(self, most: int, validate: Validate) -> None:
        super().__init__(most)
        self._validate = validate
        self._wrong = 0

    def take(self, value: Any, place: Place) -> None:
        """Add the item as its type wants it, or as it was sent."""
        self.count_one(place)
        if self._wrong > MOST_ERRORS:
            return  # more than is told anyway: the rest is only parsed
        try:
            value = self._validate(value)
        except ValidationError:
            self._wrong += 1
        self.items.append(value)
        if place.line is not None:
            self.items.lines.append(place.line)


def _item_too_large(place: Place) -> Refusal:
    said = f"Item {(place.index or 0) + 1} takes more bytes than one item may."
    return Refusal(
        "too_large", said, limit=MAX_DOCUMENT, counted="bytes of one item", **place.members
    )
