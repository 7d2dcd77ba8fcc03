"""Names are looked up beside everything else, and each once at a time."""

import asyncio
import socket
import threading
from ipaddress import ip_address
from typing import Any

import pytest

from app.delivery.resolving import SystemResolver
from tests.support.interleaving import wait_until


class NameServer:
    """Stands for the system's: answers when it is let, and counts who asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self._answered: set[str] = set()
        self._changed = threading.Condition()
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: str, *_: object, **__: object) -> list[Any]:
        self.asked.append(host)
        with self._changed:
            assert self._changed.wait_for(lambda: host in self._answered, 30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    def answer(self, *hosts: str) -> None:
        """Let it answer for these, from now on."""
        with self._changed:
            self._answered.update(hosts)
            self._changed.notify_all()

    async def until_asked(self, count: int) -> None:
        async def asked() -> bool:
            return len(self.asked) >= count

        await wait_until(asked, f"{count} names are looked up")


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    return NameServer(monkeypatch)


FOUND = [ip_address("192.0.2.1")]


async def test_those_who_ask_for_a_name_at_once_share_a_look_up(name_server: NameServer) -> None:
    resolver = SystemResolver()
    asking = [asyncio.ensure_future(resolver("a.test")) for _ in range(50)]
    await name_server.until_asked(1)
    name_server.answer("a.test")
    assert await asyncio.gather(*asking) == [FOUND] * 50
    assert name_server.asked == ["a.test"]
    assert await resolver("a.test") == FOUND
    assert name_server.asked == ["a.test", "a.test"]


async def test_who_gives_up_takes_the_answer_from_nobody(name_server: NameServer) -> None:
    resolver = SystemResolver()
    first, second = (asyncio.ensure_future(resolver("a.test")) for _ in range(2))
    await name_server.until_asked(1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    name_server.answer("a.test")
    assert await second == FOUND


async def test_there_are_so_many_look_ups_at_a_time_and_none_is_lost(
    name_server: NameServer,
) -> None:
    resolver = SystemResolver(at_once=2)
    names = ["a.test", "b.test", "c.test", "c.test", "d.test"]
    asking = [asyncio.ensure_future(resolver(name)) for name in names]
    await name_server.until_asked(2)
    # Not those who were asked: a look-up that is one too many would ask a little later.
    looked_up = {thread.name.removeprefix("resolving ") for thread in threading.enumerate()}
    assert looked_up & set(names) == {"a.test", "b.test"}
    name_server.answer("a.test")
    await name_server.until_asked(3)
    name_server.answer("b.test")  # its place is nobody's who asks for the third, too
    await name_server.until_asked(4)
    name_server.answer("c.test", "d.test")
    assert await asyncio.gather(*asking) == [FOUND] * 5
    assert sorted(name_server.asked) == ["a.test", "b.test", "c.test", "d.test"]


async def test_the_system_knows_this_machine() -> None:
    assert {one.is_loopback for one in await SystemResolver()("localhost")} == {True}


async def test_a_name_that_is_reserved_to_have_no_address_has_none() -> None:
    with pytest.raises(OSError):
        await SystemResolver()("nobody.invalid")
