"""Looking up names: the system's resolver, in threads that nobody else needs.

The event loop's own `getaddrinfo` shares its threads with all other work, of which there are a
handful; a few names whose servers do not answer would hold them for half a minute each, and end
everyone's deliveries.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread

from app.delivery.addresses import Address

Resolver = Callable[[str], Awaitable[Sequence[Address]]]
"""From a name to its addresses, best first. Raises OSError where there are none."""

_Found = list[Address] | OSError

_AT_ONCE = 64


class SystemResolver:
    """Looks names up as the system is set up to. Each name once at a time, whoever asks for it."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._running: dict[str, asyncio.Future[_Found]] = {}
        self._threads = asyncio.Semaphore(at_once)

    async def __call__(self, host: str) -> Sequence[Address]:
        """The addresses of a name; raises OSError where there are none."""
        if host not in self._running:
            await self._threads.acquire()
            if host in self._running:
                self._threads.release()
            else:
                self._start(host)
        # Whoever gives up leaves the look-up to those who wait on.
        found = await asyncio.shield(self._running[host])
        if isinstance(found, OSError):
            raise found
        return found

    def _start(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        self._running[host] = loop.create_future()

        def settle(found: _Found) -> None:
            self._threads.release()
            self._running.pop(host).set_result(found)

        def look_up() -> None:
            found = _addresses_of(host)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, found)

        # A daemon: the end of the program does not wait for a name server.
        Thread(target=look_up, name=f"resolving {host}", daemon=True).start()


def _addresses_of(host: str) -> _Found:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    return [ip_address(place[0]) for *_, place in found]
