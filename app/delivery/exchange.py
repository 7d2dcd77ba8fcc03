"""One request and its answer, over one connection, in HTTP/1.1.

h11 keeps the protocol; what is done here is what an attempt has to know exactly: whether anything
may have left, whether anything came back, and that no more is read than is wanted. httpcore, which
wraps h11 too, does not tell the first, and costs half as much again.
"""

from dataclasses import dataclass, field

import h11

from app.delivery.errors import BrokenOffError, UnansweredError
from app.delivery.streams import Stream

MOST_READ = 64 * 1024
"""Bytes of an answer, its head included, after which the connection is closed."""

KEPT = 2048
"""Bytes of an answer's body that are kept."""

_BEGINNING = b"HTTP/"

# Others have their turn after so many bytes: in chunks of one each, they take long to read.
_AT_ONCE = 4096

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Exchange:
    """A request, and what has become of it so far; whoever is interrupted can still look."""

    target: bytes
    headers: Headers
    body: bytes

    sent: bool = False
    """Whether anything of the request may have left."""
    read: int = 0
    """How many bytes came back."""
    beginning: bytes = b""
    """The first few of them."""
    status: int | None = None
    answer_headers: Headers = field(default_factory=list)
    answer: bytearray = field(default_factory=bytearray)
    """The beginning of the answer's body."""
    whole: bool = False
    """Whether the answer was read to its end."""


class Connection:
    """A connection that carries one exchange after the other."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)

    @property
    def is_reusable(self) -> bool:
        """Whether it can carry another exchange, as far as this side knows."""
        return self._http.our_state is h11.IDLE and self._stream.is_quiet

    def close(self) -> None:
        """Close it, at once."""
        self._stream.close()

    async def carry(self, exchange: Exchange) -> None:
        """POST, and read the answer up to MOST_READ bytes.

        Raises UnansweredError, BrokenOffError among them. What breaks off after its status is an
        answer, though not `whole`.
        """
        request = h11.Request(method="POST", target=exchange.target, headers=exchange.headers)
        head = self._http.send(request)
        body = self._http.send(h11.Data(exchange.body))
        self._http.send(h11.EndOfMessage())
        exchange.sent = True
        self._stream.write(b"".join(part for part in (head, body) if part))
        await self._read_head(exchange)
        try:
            await self._read_body(exchange)
        except UnansweredError:
            return
        unasked, _ = self._http.trailing_data
        if self._http.our_state is self._http.their_state is h11.DONE and not unasked:
            self._http.start_next_cycle()

    async def _read_head(self, exchange: Exchange) -> None:
        while True:
            event = await self._event(exchange)
            if isinstance(event, h11.Response):  # and not one that only informs
                exchange.status = event.status_code
                exchange.answer_headers = list(event.headers)
                return

    async def _read_body(self, exchange: Exchange) -> None:
        while not exchange.whole:
            match await self._event(exchange):
                case h11.Data(data=data):
                    exchange.answer += data[: KEPT - len(exchange.answer)]
                case h11.EndOfMessage():
                    exchange.whole = True

    async def _event(self, exchange: Exchange) -> h11.Event:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise _no_http() from error
            if isinstance(event, h11.Event):
                return event
            self._http.receive_data(await self._received(exchange))

    async def _received(self, exchange: Exchange) -> bytes:
        if exchange.read >= MOST_READ:
            raise UnansweredError("bad_answer", "what came back has no end")
        try:
            data = await self._stream.read(_AT_ONCE)
        except OSError as error:
            raise BrokenOffError from error
        if not data and exchange.status is None:
            raise BrokenOffError
        exchange.read += len(data)
        exchange.beginning = (exchange.beginning + data)[: len(_BEGINNING)]
        if not _BEGINNING.startswith(exchange.beginning):
            raise _no_http()  # h11 would wait for the end of its head
        return data


def _no_http() -> UnansweredError:
    return UnansweredError("bad_answer", "what came back is no HTTP")
