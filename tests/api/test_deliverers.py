"""`factory deliver` as programs of their own: killed, beside each other, and stopped."""

import asyncio
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from app.db.engine import Database as Pool
from app.metrics import Metrics
from app.services.delivering import delivering
from tests.api.test_delivering import Receiver, receiver
from tests.support.commands import environment, hosting
from tests.support.databases import Database
from tests.support.delivery import facts, make_route, open_boundary, put_route
from tests.support.gates import set_clock
from tests.support.interleaving import DEADLINE, wait_until
from tests.support.templates import Template, make_template

__all__ = ["receiver"]

pytestmark = pytest.mark.usefixtures("forks")


@pytest.fixture
async def template(owner: asyncpg.Connection, receiver: Receiver) -> Template:
    """A template to compose from, and a way out to the receiver."""
    await open_boundary(owner, "hr")
    await make_route(owner, endpoint=receiver.url)
    return await make_template(owner)


@pytest.fixture
def env(database: Database) -> dict[str, str]:
    """What a deliverer is told."""
    return environment(
        FACTORY_DATABASE_URL=database.app_url,
        FACTORY_DISPOSABLE_DATA="true",
        FACTORY_DELIVERY_ALLOW="127.0.0.1/32",
    )


async def delivered(owner: asyncpg.Connection, count: int) -> None:
    """Wait until so many messages are delivered."""

    async def enough() -> bool:
        found = await owner.fetchval(
            "SELECT count(*) FROM iu_core.iu_route_delivery WHERE state = 'delivered'"
        )
        return bool(found == count)

    await wait_until(enough, f"{count} messages are delivered")


async def somebody_waits(observer: asyncpg.Connection) -> bool:
    """Whether somebody waits for the table that is locked."""
    found = await observer.fetchval(
        """SELECT EXISTS (SELECT FROM pg_locks AS l WHERE NOT l.granted
                           AND l.relation = 'iu_core.iu_route_delivery'::regclass)"""
    )
    return bool(found)


async def outcomes(owner: asyncpg.Connection) -> Counter[str]:
    """How attempts ended."""
    rows = await owner.fetch("SELECT outcome FROM iu_core.iu_route_attempt")
    return Counter(row["outcome"] or "on the wire" for row in rows)


async def test_what_a_killed_one_had_on_the_wire_is_sent_again(
    owner: asyncpg.Connection,
    template: Template,
    receiver: Receiver,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    """It was killed when the receiver had the message, and it had no answer."""
    receiver.lets_go.clear()
    await facts(owner, template)
    with hosting("deliver", "--json", env=env, cwd=tmp_path) as program:
        async with asyncio.timeout(DEADLINE):
            await receiver.arrived.wait()
        program.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(program.wait)
    assert await outcomes(owner) == {"on the wire": 1}
    receiver.lets_go.set()
    await set_clock(owner, timedelta(seconds=61))
    with hosting("deliver", "--json", env=env, cwd=tmp_path) as program:
        await delivered(owner, 1)
        assert await asyncio.to_thread(program.stop) == 0
    assert await outcomes(owner) == {"abandoned": 1, "delivered": 1}
    first, again = [headers["webhook-id"] for headers, _ in receiver.came]
    assert first == again


async def test_what_a_killed_one_had_not_sent_yet_is_sent_once(
    owner: asyncpg.Connection,
    template: Template,
    receiver: Receiver,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    """It was killed while the two were still shaking hands, which its endpoint never does."""
    connected = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    route = await owner.fetchval("SELECT route_id FROM iu_core.v_iu_outbound_route")
    await put_route(owner, route_id=route, endpoint=f"https://127.0.0.1:{port}/hook")
    await facts(owner, template)
    async with server:
        with hosting("deliver", "--json", env=env, cwd=tmp_path) as program:
            async with asyncio.timeout(DEADLINE):
                await connected.wait()
            program.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(program.wait)
    assert await outcomes(owner) == {"on the wire": 1}
    await put_route(owner, route_id=route, endpoint=receiver.url)
    await set_clock(owner, timedelta(seconds=61))
    with hosting("deliver", "--json", env=env, cwd=tmp_path):
        await delivered(owner, 1)
    assert await outcomes(owner) == {"abandoned": 1, "delivered": 1}
    assert len(receiver.came) == 1


async def test_what_a_killed_one_had_not_written_down_yet_is_sent_again(
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    receiver: Receiver,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    """It was killed, with its connections, when it had the answer and waited to write it down."""
    receiver.lets_go.clear()
    await facts(owner, template)

    async def writing() -> list[int]:
        rows = await observer.fetch(
            "SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))",
            owner.get_server_pid(),
        )
        return [row["pid"] for row in rows]

    async def waits() -> bool:
        return bool(await writing())

    with hosting("deliver", "--json", env=env, cwd=tmp_path) as program:
        async with asyncio.timeout(DEADLINE):
            await receiver.arrived.wait()
        async with owner.transaction():
            await owner.execute("SELECT FROM iu_core.iu_route_delivery FOR UPDATE")
            receiver.lets_go.set()
            await wait_until(waits, "the answer is to be written down")
            program.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(program.wait)
            for pid in await writing():
                assert await observer.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    assert await outcomes(owner) == {"on the wire": 1}
    await set_clock(owner, timedelta(seconds=61))
    with hosting("deliver", "--json", env=env, cwd=tmp_path):
        await delivered(owner, 1)
    assert await outcomes(owner) == {"abandoned": 1, "delivered": 1}
    first, again = [headers["webhook-id"] for headers, _ in receiver.came]
    assert first == again


async def test_several_share_the_work_and_send_each_message_once(
    owner: asyncpg.Connection,
    template: Template,
    receiver: Receiver,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    with (
        hosting("deliver", "--json", env=env, cwd=tmp_path),
        hosting("deliver", "--json", env=env, cwd=tmp_path),
    ):
        for _ in range(3):
            await facts(owner, template, 50)
        await delivered(owner, 150)
    assert await outcomes(owner) == {"delivered": 150}
    sent = Counter(headers["webhook-id"] for headers, _ in receiver.came)
    assert (len(sent), set(sent.values())) == (150, {1})


async def test_one_that_is_stopped_ends_what_is_on_the_wire(
    owner: asyncpg.Connection,
    template: Template,
    receiver: Receiver,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    receiver.lets_go.clear()
    await facts(owner, template)
    with hosting("deliver", env=env, cwd=tmp_path) as program:
        async with asyncio.timeout(DEADLINE):
            await receiver.arrived.wait()
        program.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(program.says, "Stopping: what is on the wire is waited for.")
        await facts(owner, template)
        receiver.lets_go.set()
        assert await asyncio.to_thread(program.wait) == 0
        assert "Stopped." in program.out
    assert await outcomes(owner) == {"delivered": 1}


async def test_one_claims_nothing_any_more_when_it_has_been_stopped(
    owner: asyncpg.Connection,
    template: Template,
    receiver: Receiver,
    database: Database,
    observer: asyncpg.Connection,
) -> None:
    """What was being claimed has begun, and is sent; of what is written later nothing is."""
    await facts(owner, template)
    pool = Pool(database.app_url, pool_size=2)
    holding = owner.transaction()
    await holding.start()
    await owner.execute("LOCK TABLE iu_core.iu_route_delivery IN ACCESS EXCLUSIVE MODE")
    async with delivering(pool, Metrics(), allow="127.0.0.1/32", source="/factory") as deliverer:
        await wait_until(lambda: somebody_waits(observer), "the deliverer claims")
        stopping = asyncio.create_task(deliverer.stop())
        for _ in range(5):  # the turns of the loop that it would take to be over
            await asyncio.sleep(0)
        assert not stopping.done()
        await holding.commit()
        await stopping
        await facts(owner, template)
    await pool.close()
    assert await outcomes(owner) == {"delivered": 1}
