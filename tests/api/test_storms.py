"""Storms over HTTP. Each prints its seed; afterwards nothing is open, lost or half done."""

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app.db.engine import Database as Pool
from app.hosting import served
from app.services.coalescer import CONNECTIONS
from app.settings import Settings
from tests.support.databases import Database
from tests.support.http import Service, make_key, running_service
from tests.support.interleaving import wait_until
from tests.support.templates import Template, make_template, open_gates

COMPOSE = "/instances/from-event"
POOL_SIZE = 4
ROUNDS = 8

OURS = """
    SELECT pid, state, xact_start FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
"""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner)
    return await make_template(owner)


@pytest.fixture
def chance() -> random.Random:
    """What decides; its seed is printed."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def order(of: Template, **members: Any) -> dict[str, Any]:
    """A request for one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": of.key,
        **members,
    }


async def instances(owner: asyncpg.Connection) -> set[str]:
    """The events that have an instance."""
    rows = await owner.fetch("SELECT event_id FROM iu_core.iu_auto_instantiate_event_log")
    assert len({row["event_id"] for row in rows}) == len(rows)
    return {str(row["event_id"]) for row in rows}


# Clients that go away.


@asynccontextmanager
async def over_a_socket(
    database: Database, owner: asyncpg.Connection
) -> AsyncIterator[tuple[httpx.AsyncClient, Pool | None]]:
    """A client of a server: the server sees that the connection is closed."""
    key = await make_key(owner, "operator")
    settings = Settings(
        database_url=database.app_url,
        disposable_data=True,
        log_level="error",
        pool_size=POOL_SIZE,
        pool_timeout=30.0,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    async with (
        served(settings, listener) as (url, _),
        httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60.0,
            limits=httpx.Limits(max_connections=None),
        ) as client,
    ):
        yield client, None


@asynccontextmanager
async def in_process(
    database: Database, owner: asyncpg.Connection
) -> AsyncIterator[tuple[httpx.AsyncClient, Pool | None]]:
    """A client in this process: the request's own task is cancelled, wherever it is."""
    async with running_service(database, owner, pool_size=POOL_SIZE, pool_timeout=30.0) as service:
        yield service.operator, service.app.state.database


@pytest.mark.parametrize("way", [in_process, over_a_socket])
async def test_cancelled_requests_leave_no_open_transaction_and_no_lost_connection(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    chance: random.Random,
    way: Any,
) -> None:
    sent: list[dict[str, Any]] = []
    answered: Counter[str] = Counter()

    def a_request(client: httpx.AsyncClient) -> Any:
        kind = chance.choices(["one", "again", "bulk", "read", "refused"], [50, 15, 15, 10, 10])[0]
        if kind == "again" and sent:
            return client.post(COMPOSE, json=chance.choice(sent))
        if kind == "read":
            return client.get("/observability/templates")
        if kind == "refused":
            return client.post(COMPOSE, json=order(template, template="tpl:no:such"))
        orders = [order(template) for _ in range(1 if kind == "one" else 5)]
        sent.extend(orders)
        if len(orders) == 1:
            return client.post(COMPOSE, json=orders[0])
        return client.post("/instances/bulk?atomic=true", json=orders)

    async def impatient(client: httpx.AsyncClient, patience: float) -> None:
        try:
            answer = await asyncio.wait_for(a_request(client), patience)
        except TimeoutError:
            answered["cancelled"] += 1
        else:
            assert answer.status_code < 500, answer.text
            answered[str(answer.status_code)] += 1

    async with way(database, owner) as (client, pool):
        began = time.monotonic()
        sent.append(order(template))
        assert (await client.post(COMPOSE, json=sent[0])).status_code == 201
        typical = time.monotonic() - began
        for _ in range(ROUNDS):
            # From a part of what one takes alone to more than all twenty take together.
            moments = [typical * 2 ** chance.uniform(-3, 7) for _ in range(20)]
            await asyncio.gather(*(impatient(client, moment) for moment in moments))
        print(dict(answered))
        assert min(answered["cancelled"], answered["201"]) > ROUNDS

        async def at_rest() -> bool:
            backends = await observer.fetch(OURS)
            assert len(backends) <= POOL_SIZE + CONNECTIONS, "a connection was lost sight of"
            assert not any(row["state"] == "idle in transaction (aborted)" for row in backends)
            return all(row["state"] == "idle" and row["xact_start"] is None for row in backends)

        await wait_until(at_rest, "no transaction is open")
        if pool is not None:
            idle = {"size": POOL_SIZE, "checked_out": 0, "running": 0}

            async def all_back() -> bool:
                return bool(pool.pool_status() == idle)

            await wait_until(all_back, "every connection is back")

        # As many at once as there are connections, and the truth about every event.
        known = await instances(owner)
        for start in range(0, len(sent), POOL_SIZE):
            some = sent[start : start + POOL_SIZE]
            answers = await asyncio.gather(*(client.post(COMPOSE, json=one) for one in some))
            for one, answer in zip(some, answers, strict=True):
                expected = (
                    (200, "idempotent_replay") if one["event_id"] in known else (201, "composed")
                )
                assert (answer.status_code, answer.json()["outcome"]) == expected
        assert await instances(owner) == {one["event_id"] for one in sent}
        report = (await client.get("/observability/integrity")).json()
        assert (report["holds"], report["findings"]) == (True, [])
    assert await observer.fetch(OURS) == []


# Eight clients who do everything at once.

CLIENTS = 8
TURNS = 40


class Storm:
    """Eight clients of one service: what they do is decided by chance."""

    def __init__(self, service: Service, templates: list[Template], chance: random.Random) -> None:
        self.service = service
        self.templates = templates
        self.chance = chance
        self.orders: list[dict[str, Any]] = []
        self.seen: Counter[tuple[str, int, str]] = Counter()
        self.addresses: dict[str, UUID] = {}

    async def client(self) -> None:
        """One client's turns."""
        turns = {
            self.compose: 40,
            self.compose_again: 20,
            self.dry_run: 8,
            self.bulk: 8,
            self.roll_back: 8,
            self.plan_and_apply: 6,
            self.release: 4,
            self.close_and_open: 4,
            self.look: 2,
        }
        for _ in range(TURNS):
            await self.chance.choices(list(turns), list(turns.values()))[0]()

    def note(self, what: str, answer: httpx.Response) -> Any:
        """Count the answer; no client may ever be told of a defect."""
        document = answer.json()
        assert answer.status_code != 500, document
        self.seen[
            what, answer.status_code, document.get("code") or document.get("outcome", "")
        ] += 1
        return document

    def new_order(self) -> dict[str, Any]:
        """Something that was never asked for: by version, or by family."""
        template = self.chance.choice(self.templates)
        new = order(
            template,
            template=self.chance.choice([template.key, template.family]),
            actor=f"operator-{self.chance.randrange(4)}",
            suffix=self.chance.choice(["", "a", "b"]),
        )
        self.orders.append(new)
        return new

    async def send(self, what: str, sent: dict[str, Any]) -> None:
        """One order; whenever it has an instance, that has the same address."""
        document = self.note(what, await self.service.operator.post(COMPOSE, json=sent))
        if document.get("outcome") in ("composed", "idempotent_replay"):
            address = UUID(document["instance_collection_id"])
            assert self.addresses.setdefault(sent["event_id"], address) == address

    async def compose(self) -> None:
        await self.send("compose", self.new_order())

    async def compose_again(self) -> None:
        if self.orders:
            await self.send("compose again", self.chance.choice(self.orders))

    async def dry_run(self) -> None:
        sent = order(self.chance.choice(self.templates), emit_mode="dry_run")
        self.note("dry run", await self.service.operator.post(COMPOSE, json=sent))

    async def bulk(self) -> None:
        orders = [self.new_order() for _ in range(self.chance.randrange(1, 6))]
        if self.chance.random() < 0.3:
            orders.append(orders[0])
        self.note(
            "bulk",
            await self.service.operator.post(
                "/instances/bulk",
                params={"atomic": "true", "gate_window": self.chance.random() < 0.3},
                json=orders,
            ),
        )

    async def roll_back(self) -> None:
        self.note(
            "roll back",
            await self.service.operator.post(
                "/rollback/by-actor",
                json={
                    "actor": f"operator-{self.chance.randrange(4)}",
                    "dry_run": False,
                    "release_keys": self.chance.random() < 0.3,
                },
            ),
        )

    async def plan_and_apply(self) -> None:
        selectors = {"selectors": {"template": self.chance.choice(self.templates).key}}
        post = self.service.operator.post
        plan = self.note("plan", await post("/rollback/plan", json=selectors))
        if "plan_digest" in plan:
            applied = {key: plan[key] for key in ("plan_digest", "planned_at")}
            body = selectors | applied | {"reason": "a storm"}
            self.note("apply", await post("/rollback/apply", json=body))

    async def release(self) -> None:
        selectors = {"selectors": {"actor": f"operator-{self.chance.randrange(4)}"}}
        body = selectors | {"reason": "a storm"}
        answer = await self.service.operator.post("/rollback/release-keys", json=body)
        self.note("release", answer)

    async def close_and_open(self) -> None:
        gate = "/gates/iu_core." + self.chance.choice(["composer", "auto_instantiate"]) + "_enabled"
        put = self.service.operator.put
        self.note("close", await put(gate, json={"state": "closed", "reason": "a storm"}))
        self.note("open", await put(gate, json={"state": "open", "reason": "a storm"}))

    async def look(self) -> None:
        self.note("look", await self.service.operator.get("/observability/overview"))


# Every id is an instance in all four tables, or it has a tombstone that was not released, or it
# was released; and what was composed last, or rolled back last, is what the outbox says.
CONTRADICTIONS = """
    WITH ids AS (
        SELECT subject_id AS id FROM iu_core.event_outbox
        UNION SELECT collection_id FROM iu_core.iu_piece_collection WHERE is_instance
        UNION SELECT instance_collection_id FROM iu_core.iu_collection_template_instance_lineage
        UNION SELECT instance_collection_id FROM iu_core.iu_auto_instantiate_event_log
        UNION SELECT instance_collection_id FROM iu_core.iu_instance_tombstone
    ), facts AS (
        SELECT i.id,
               (SELECT count(*) FROM iu_core.iu_piece_collection AS c
                 WHERE c.collection_id = i.id) AS collections,
               (SELECT count(*) FROM iu_core.iu_collection_template_instance_lineage AS g
                 WHERE g.instance_collection_id = i.id) AS lineage,
               (SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log AS l
                 WHERE l.instance_collection_id = i.id) AS log,
               (SELECT count(*) FROM iu_core.iu_instance_tombstone AS t
                 WHERE t.instance_collection_id = i.id AND t.released_at IS NULL) AS buried,
               (SELECT count(*) FROM iu_core.iu_instance_tombstone AS t
                 WHERE t.instance_collection_id = i.id) AS tombstones,
               (SELECT count(*) FROM iu_core.event_outbox AS o
                 WHERE o.subject_id = i.id AND o.cancelled_at IS NULL
                   AND o.event_type = 'iu.template.instance_auto_composed') AS composed,
               (SELECT count(*) FROM iu_core.event_outbox AS o
                 WHERE o.subject_id = i.id
                   AND o.event_type = 'iu.template.instance_rolled_back') AS rolled_back
          FROM ids AS i
    )
    SELECT * FROM facts AS f
     WHERE f.lineage <> f.collections OR f.log <> f.collections OR f.composed <> f.collections
        OR (f.buried > 0 AND f.collections > 0) OR f.buried > 1
        OR f.rolled_back <> f.tombstones
"""

COUNTERS = """
    SELECT template_collection_id, sum(instance_count) AS instances
      FROM iu_core.iu_template_counter WHERE emit_mode = $1
     GROUP BY template_collection_id HAVING sum(instance_count) <> 0
"""


async def test_a_storm_of_everything_leaves_nothing_that_contradicts_itself(
    service: Service,
    owner: asyncpg.Connection,
    template: Template,
    chance: random.Random,
) -> None:
    templates = [
        template,
        await make_template(owner, version=2, pieces=6),
        await make_template(owner, "tpl:file:status-report", pieces=3),
    ]
    storm = Storm(service, templates, chance)
    await asyncio.gather(*(storm.client() for _ in range(CLIENTS)))
    await open_gates(owner)
    for seen, times in sorted(storm.seen.items()):
        print(*seen, times)

    report = (await service.admin.get("/observability/integrity")).json()
    assert (report["holds"], report["findings"]) == (True, [])
    assert await owner.fetch(CONTRADICTIONS) == []
    for mode, counted in (
        (
            "live",
            """SELECT template_collection_id, count(*) AS instances
                 FROM iu_core.iu_auto_instantiate_event_log GROUP BY 1""",
        ),
        (
            "dry_run",
            """SELECT template_collection_id, sum(occurrences) AS instances
                 FROM iu_core.iu_command_record
                WHERE outcome = 'dry_run' AND template_collection_id IS NOT NULL GROUP BY 1""",
        ),
    ):
        kept = await owner.fetch(COUNTERS, mode)
        assert {tuple(row) for row in kept} == {tuple(row) for row in await owner.fetch(counted)}

    # And each event's truth is still told: composed now, or as it was, or rolled back.
    there = await instances(owner)
    for sent in storm.orders:
        answer = await service.operator.post(COMPOSE, json=sent)
        outcome = answer.json().get("outcome") or answer.json()["code"]
        if sent["event_id"] in there:
            assert outcome == "idempotent_replay"
        else:
            assert outcome in ("composed", "rolled_back")
