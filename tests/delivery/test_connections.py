"""Connections are used again, and nobody waits, or fails, because of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from app.delivery.connections import Limits
from app.delivery.sending import Sender
from tests.delivery.endpoints import (
    NO_CONTENT,
    SECRET,
    Behaviour,
    Endpoint,
    Names,
    Visit,
    answers,
    hangs,
    message,
    sending,
    serving,
)


async def outcomes(sender: Sender, url: str, count: int = 2) -> list[str]:
    """What comes of so many attempts, one after the other."""
    return [(await sender.send(url, [SECRET], message())).outcome for _ in range(count)]


async def test_a_connection_carries_one_attempt_after_the_other() -> None:
    names = Names(hooks=[["127.0.0.1"]])
    async with serving(answers(NO_CONTENT)) as endpoint, sending(resolver=names) as sender:
        assert await outcomes(sender, endpoint.url_of("hooks.test"), 20) == ["delivered"] * 20
    assert endpoint.visits == 1
    assert names.asked == ["hooks.test"]


async def test_a_failure_that_was_answered_leaves_the_connection_good() -> None:
    no = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"
    async with serving(answers(no, NO_CONTENT)) as endpoint, sending() as sender:
        assert await outcomes(sender, endpoint.url) == ["failed", "delivered"]
    assert endpoint.visits == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No\r\n\r\nand more",
        b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 500 Forged\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000,
    ],
    ids=["closed", "version 1.0", "with a rest", "with another answer", "too long"],
)
async def test_a_connection_that_is_no_good_any_more_is_closed(answer: bytes) -> None:
    async with serving(answers(answer)) as endpoint, sending() as sender:
        assert await outcomes(sender, endpoint.url) == ["delivered"] * 2
        assert endpoint.visits == 2
        await endpoint.until(open=0)


async def closes_after_each(visit: Visit) -> None:
    await visit.request()
    await visit.write(NO_CONTENT)


async def test_a_connection_that_the_server_closed_while_it_waited_is_not_used() -> None:
    async with serving(closes_after_each) as endpoint, sending() as sender:
        assert await outcomes(sender, endpoint.url, 1) == ["delivered"]
        await endpoint.until(open=0)
        assert await outcomes(sender, endpoint.url, 1) == ["delivered"]
    assert len(endpoint.requests) == 2


async def test_a_connection_that_closes_on_the_next_request_is_no_failure() -> None:
    """The server closed it already, and what says so was not here yet when it was taken."""

    async def closes_on_the_second(visit: Visit) -> None:
        await visit.request()
        await visit.write(NO_CONTENT)
        await visit.request()

    async with serving(closes_on_the_second) as endpoint, sending() as sender:
        assert await outcomes(sender, endpoint.url, 2) == ["delivered"] * 2
    assert endpoint.visits == 2


async def test_a_new_connection_that_closes_is_not_tried_again() -> None:
    async def closes(visit: Visit) -> None:
        await visit.request()

    async with serving(closes) as endpoint, sending() as sender:
        assert await outcomes(sender, endpoint.url, 1) == ["failed"]
    assert len(endpoint.requests) == 1


async def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    async def breaks_off(visit: Visit) -> None:
        await visit.request()
        await visit.write(NO_CONTENT)
        await visit.request()
        await visit.write(b"HTTP/1.1 20")

    async with serving(breaks_off) as endpoint, sending() as sender:
        assert await outcomes(sender, endpoint.url) == ["delivered", "failed"]
    assert len(endpoint.requests) == 2


async def test_what_was_sent_on_a_kept_connection_may_have_been_received() -> None:
    """Also where no new connection is to be had afterwards."""
    names = Names(hooks=[["127.0.0.1"], ["10.0.0.1"]])

    async def closes_on_the_second(visit: Visit) -> None:
        await visit.request()
        await visit.write(NO_CONTENT)
        await visit.request()

    async with serving(closes_on_the_second) as endpoint, sending(resolver=names) as sender:
        url = endpoint.url_of("hooks.test")
        await sender.send(url, [SECRET], message())
        found = await sender.send(url, [SECRET], message())
    assert (found.outcome, found.error) == ("failed", "address_refused")


async def test_a_connection_that_nobody_asks_for_is_closed() -> None:
    limits = Limits(idle_s=0.05)
    async with serving(answers(NO_CONTENT)) as endpoint, sending(limits=limits) as sender:
        for _ in range(2):
            assert await outcomes(sender, endpoint.url, 2) == ["delivered"] * 2
            await endpoint.until(open=0)


async def test_an_old_connection_is_made_anew() -> None:
    limits = Limits(age_s=0)
    names = Names(hooks=[["127.0.0.1"], ["10.0.0.1"]])
    async with (
        serving(answers(NO_CONTENT)) as endpoint,
        sending(limits=limits, resolver=names) as sender,
    ):
        url = endpoint.url_of("hooks.test")
        assert await outcomes(sender, url) == ["delivered", "not_sent"]


async def test_those_that_wait_are_closed_with_the_sender() -> None:
    async with serving(answers(NO_CONTENT)) as endpoint:
        async with sending() as sender:
            await outcomes(sender, endpoint.url)
        await endpoint.until(open=0)
        await outcomes(sender, endpoint.url)  # one that was still going on
        await endpoint.until(open=0)


async def test_connections_that_wait_are_few_in_all() -> None:
    async with contextlib.AsyncExitStack() as stack:
        sender = await stack.enter_async_context(sending(limits=Limits(idle=2)))
        endpoints = [await stack.enter_async_context(serving(answers(NO_CONTENT))) for _ in "123"]
        for endpoint in endpoints:
            await outcomes(sender, endpoint.url, 1)
        await endpoints[0].until(open=0)
        for endpoint in reversed(endpoints[1:]):
            await outcomes(sender, endpoint.url, 1)
        assert [endpoint.visits for endpoint in endpoints] == [1, 1, 1]


async def test_an_origin_has_so_many_connections_and_the_others_wait() -> None:
    most = 0
    going = 0
    go_on = asyncio.Event()

    async def counts(visit: Visit) -> None:
        nonlocal going, most
        while True:
            await visit.request()
            going += 1
            most = max(most, going)
            if going == 3:
                go_on.set()
            await go_on.wait()
            going -= 1
            await visit.write(NO_CONTENT)

    limits = Limits(per_origin=3)
    async with serving(counts) as endpoint, sending(limits=limits) as sender:
        found = await asyncio.gather(*(outcomes(sender, endpoint.url, 1) for _ in range(30)))
    assert found == [["delivered"]] * 30
    assert (most, endpoint.visits) == (3, 3)


@contextlib.asynccontextmanager
async def hanging_and_fast(
    fast: Behaviour, limits: Limits
) -> AsyncIterator[tuple[Endpoint, Endpoint, Sender]]:
    async with serving(hangs) as slow, serving(fast) as quick, sending(limits=limits) as sender:
        yield slow, quick, sender


async def test_endpoints_that_hang_delay_no_other() -> None:
    limits = Limits(total_s=60)
    async with hanging_and_fast(answers(NO_CONTENT), limits) as (slow, quick, sender):
        hanging = [
            asyncio.create_task(sender.send(slow.url, [SECRET], message())) for _ in range(50)
        ]
        await slow.until(visits=limits.per_origin)
        found = await asyncio.gather(*(outcomes(sender, quick.url, 1) for _ in range(200)))
        assert found == [["delivered"]] * 200
        assert [task for task in hanging if task.done()] == []
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        await slow.until(open=0)


async def test_attempts_that_are_cancelled_or_out_of_time_leave_their_places() -> None:
    """Those that wait for a place too: more than there are, all at the same moment."""
    hang = True

    async def hangs_at_first(visit: Visit) -> None:
        while True:
            await visit.request()
            if hang:
                await visit.until_closed()
            await visit.write(NO_CONTENT)

    limits = Limits(total_s=0.5, per_origin=2)
    async with serving(hangs_at_first) as endpoint, sending(limits=limits) as sender:
        timed_out = [
            asyncio.create_task(sender.send(endpoint.url, [SECRET], message())) for _ in range(20)
        ]
        assert {(await task).error for task in timed_out} == {"timed_out"}
        cancelled = [
            asyncio.create_task(sender.send(endpoint.url, [SECRET], message())) for _ in range(20)
        ]
        await endpoint.until(visits=4)
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)
        await endpoint.until(open=0)
        hang = False
        found = await asyncio.gather(*(outcomes(sender, endpoint.url, 1) for _ in range(4)))
    assert found == [["delivered"]] * 4
