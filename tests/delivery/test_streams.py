"""One connection holds little, and says what came unasked."""

import asyncio
from collections.abc import Callable

from app.delivery.streams import Stream
from tests.delivery.endpoints import Endpoint, Visit, serving
from tests.support.interleaving import wait_until

LARGE = 64 * 1024 * 1024


async def connected(endpoint: Endpoint) -> Stream:
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(Stream, "127.0.0.1", endpoint.port)
    return stream


async def until_heard_of(stream: Stream) -> None:
    async def heard_of() -> bool:
        return not stream.is_quiet

    await wait_until(heard_of, "something comes, or the connection ends")


async def test_what_nobody_reads_stays_with_who_sent_it() -> None:
    unsent: list[Callable[[], int]] = []

    async def floods(visit: Visit) -> None:
        unsent.append(visit.unsent)
        await visit.write(b"x" * LARGE)
        await visit.until_closed()

    async with serving(floods) as endpoint:
        stream = await connected(endpoint)
        await until_heard_of(stream)
        for _ in range(2000):  # turns of the loop, in far fewer of which all of it would come
            await asyncio.sleep(0)
        assert unsent[0]() > 0

        received = 0
        while received < LARGE:
            received += len(await stream.read(1024 * 1024))
        assert stream.is_quiet
        stream.close()
        await endpoint.until(open=0)


async def test_a_connection_is_quiet_until_something_comes_unasked() -> None:
    speak = asyncio.Event()

    async def speaks(visit: Visit) -> None:
        await speak.wait()
        await visit.write(b"HTTP/1.1 204 Forged\r\n\r\n")
        await visit.until_closed()

    async with serving(speaks) as endpoint:
        stream = await connected(endpoint)
        await endpoint.until(visits=1)
        assert stream.is_quiet
        speak.set()
        await until_heard_of(stream)
        stream.close()


async def test_a_connection_that_ends_is_not_quiet_and_has_no_more_to_read() -> None:
    async def ends(_: Visit) -> None:
        pass

    async with serving(ends) as endpoint:
        stream = await connected(endpoint)
        await until_heard_of(stream)
        stream.write(b"into nowhere")
        assert await stream.read(10) == b""
