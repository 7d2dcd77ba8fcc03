"""`factory consume nats` as a program, against a NATS server."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo

from tests.consuming.jetstream import jetstream
from tests.support.commands import environment, hosting
from tests.support.databases import Database
from tests.support.interleaving import wait_until
from tests.support.templates import open_gates

CONSUME = ("consume", "nats", "--stream", "HR", "--subject", "hr.>")
TYPE = "employee.hired"

pytestmark = pytest.mark.usefixtures("forks")


def settings(database: Database, url: str) -> dict[str, str]:
    return environment(
        FACTORY_DATABASE_URL=database.app_url,
        FACTORY_DISPOSABLE_DATA="true",
        FACTORY_LOG_FORMAT="json",
        FACTORY_BROKER_URL=url,
    )


async def publish(client: Client, numbers: Sequence[int]) -> None:
    """Events of these numbers, the even ones in binary and the odd ones in structured mode."""
    js = client.jetstream()
    for number in numbers:
        attributes = {
            "specversion": "1.0",
            "id": f"Zoë {number}",
            "source": "/hr/eu",
            "type": TYPE,
        }
        data = {"number": number}
        if number % 2:
            body = json.dumps({**attributes, "data": data}).encode()
            headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
        else:
            body = json.dumps(data).encode()
            headers = {f"ce-{name}": quote(value, safe="/") for name, value in attributes.items()}
            headers["Content-Type"] = "application/json"
        await js.publish("hr.hired", body, headers=headers)


async def consumer(client: Client) -> ConsumerInfo:
    info: ConsumerInfo = await client.jetstream().consumer_info("HR", "factory")
    return info


async def settled(client: Client) -> bool:
    """Whether the server has delivered everything, and waits for no acknowledgement."""
    info = await consumer(client)
    return not info.num_pending and not info.num_ack_pending


async def test_nothing_is_lost_and_nothing_is_stored_twice_when_it_is_killed_midway(
    database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    await open_gates(owner, "event_intake_enabled")

    async with jetstream(tmp_path / "nats") as (url, client):
        js = client.jetstream()
        await js.add_stream(name="HR", subjects=["hr.>"])
        # As the program would make it, but for how long the server waits for one that was killed.
        config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=2, filter_subject="hr.>")
        await js.add_consumer("HR", config, durable_name="factory")
        await publish(client, range(50))

        with hosting(*CONSUME, env=settings(database, url), cwd=tmp_path) as killed:
            killed.says("Taking events from nats as consume-nats. Ctrl-C stops.\n")
            await wait_until(lambda: settled(client), "the first half")
            assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_event") == 50
            async with owner.transaction():
                await owner.execute("LOCK TABLE iu_core.iu_event IN EXCLUSIVE MODE")
                await publish(client, range(50, 100))

                async def under_way() -> bool:
                    return (await consumer(client)).num_ack_pending == 50

                await wait_until(under_way, "the second half")
                killed.stop(signal.SIGKILL)
        # What it had asked the database for may still be done: nobody was told of it.
        assert (await consumer(client)).num_ack_pending == 50

        with hosting(*CONSUME, env=settings(database, url), cwd=tmp_path) as again:
            again.says("Ctrl-C stops")
            await wait_until(lambda: settled(client), "the rest")
            assert again.stop() == 0
            assert again.out.endswith("Stopped.\n")
        rows = await owner.fetch(
            "SELECT cloudevent_id, channel, actor, principal, content FROM iu_core.v_iu_event"
        )
    assert sorted(row["cloudevent_id"] for row in rows) == sorted(f"Zoë {n}" for n in range(100))
    assert {(row["channel"], row["actor"], row["principal"]) for row in rows} == {
        ("nats", "consume-nats", "consume:nats")
    }
    numbers = [json.loads(row["content"])["data"]["number"] for row in rows]
    assert sorted(numbers) == list(range(100))
