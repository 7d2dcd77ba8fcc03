"""A storm of events, of changes of their routes, and of firing again. It prints its seed.

Two services, and what each client does is decided by chance. Which edition of the rules a result
came about in is written down by triggers, in this test's database only.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.api.test_events import TYPE, event, send
from tests.api.test_storms import CONTRADICTIONS
from tests.support.composing import Item, identity
from tests.support.databases import Database
from tests.support.http import Service, running_service
from tests.support.parameters import NAMED, ask_for
from tests.support.templates import Template, make_template, open_gates

CLIENTS = 6
TURNS = 15
IDS = 50
KEYS = ("a", "b", "c", "d")
GATES = ("composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
EVER = {"received_from": "2020-01-01T00:00:00Z", "received_to": "2120-01-01T00:00:00Z"}

WITNESSES = """
    CREATE TABLE iu_core.editions AS
    SELECT r.revision, t.route_id FROM iu_core.iu_event_rules AS r, iu_core.iu_sql_event_route AS t;
    CREATE TABLE iu_core.fired AS
    SELECT event_id, route_id, 0::bigint AS revision FROM iu_core.iu_event_result;
    CREATE FUNCTION iu_core.note_edition() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO iu_core.editions
        SELECT NEW.revision, route_id FROM iu_core.iu_sql_event_route WHERE enabled;
        RETURN NULL;
    END $$;
    CREATE FUNCTION iu_core.note_firing() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO iu_core.fired
        SELECT NEW.event_id, NEW.route_id, revision FROM iu_core.iu_event_rules;
        RETURN NULL;
    END $$;
    CREATE TRIGGER notes AFTER UPDATE ON iu_core.iu_event_rules
    FOR EACH ROW EXECUTE FUNCTION iu_core.note_edition();
    CREATE TRIGGER notes AFTER INSERT OR UPDATE ON iu_core.iu_event_result
    FOR EACH ROW EXECUTE FUNCTION iu_core.note_firing()
"""

BY_NO_ROUTE_IN_FORCE = """
    SELECT f.* FROM iu_core.fired AS f
     WHERE NOT EXISTS (SELECT FROM iu_core.editions AS e
                        WHERE e.revision = f.revision AND e.route_id = f.route_id)
"""

RESULTS = """
    SELECT r.event_id, r.route_id, r.outcome, r.suffix, r.instance_collection_id, l.reference_id
      FROM iu_core.iu_event_result AS r
      LEFT JOIN iu_core.iu_auto_instantiate_event_log AS l
             ON l.instance_collection_id = r.instance_collection_id AND l.event_id = r.event_id
"""


class Storm:
    """Clients of two services, and what they were answered."""

    def __init__(
        self, services: tuple[Service, ...], templates: list[Template], chance: random.Random
    ) -> None:
        self.services = services
        self.templates = templates
        self.chance = chance
        self.seen: Counter[tuple[str, int, str]] = Counter()
        self.accepted: dict[str, Any] = {}
        self.told: list[tuple[str, Any]] = []
        self.refused: Counter[str] = Counter()
        self.routes: dict[str, str] = {}
        self.instances: dict[tuple[str, str], str] = {}

    async def client(self) -> None:
        """One client's turns."""
        turns = {
            self.send_one: 40,
            self.send_batch: 12,
            self.put_route: 14,
            self.remove_route: 4,
            self.close_and_open: 8,
            self.fire_again: 12,
            self.simulate: 4,
        }
        for _ in range(TURNS):
            await self.chance.choices(list(turns), list(turns.values()))[0]()

    @property
    def operator(self) -> httpx.AsyncClient:
        """An operator of one of the services."""
        return self.chance.choice(self.services).operator

    def note(self, what: str, answer: httpx.Response) -> Any:
        """Count the answer; no client may ever be told of a defect."""
        document = answer.json() if answer.content else {}
        assert answer.status_code != 500, document
        code = document.get("code") or document.get("outcome") or ""
        self.seen[what, answer.status_code, code] += 1
        return document

    def an_event(self) -> dict[str, Any]:
        """One of few events, so that most come again; some of them with other content."""
        data = {"name": "Ada", "other": self.chance.random() < 0.2}
        return event(self.chance.randrange(IDS), data=data)

    def heard(self, sent: dict[str, Any], told: dict[str, Any]) -> None:
        """What one event was answered: at most once that it was stored, and always as it is."""
        if "code" in told:
            self.refused[told["code"]] += 1
            return
        self.told.append((sent["id"], sent["data"]))
        if told["outcome"] == "accepted":
            assert sent["id"] not in self.accepted, "it was stored twice"
            self.accepted[sent["id"]] = sent["data"]
        for result in told["results"]:
            self.came_of(told["event_id"], result)

    def came_of(self, event_id: str, result: dict[str, Any]) -> None:
        """Once an event and a route have composed, there is never another instance of them.

        What was only tried may come out otherwise: its route may have been changed since.
        """
        if result["outcome"] in {"composed", "replayed"}:
            key = event_id, result["route_id"]
            instance = self.instances.setdefault(key, result["instance_collection_id"])
            assert instance == result["instance_collection_id"]

    async def send_one(self) -> None:
        sent = self.an_event()
        self.heard(sent, self.note("event", await send(self.operator, sent)))

    async def send_batch(self) -> None:
        batch = [self.an_event() for _ in range(self.chance.randint(2, 8))]
        told = self.note("batch", await send(self.operator, batch))
        assert told["total"] == told["accepted"] + told["known"] + told["refused"] == len(batch)
        for sent, item in zip(batch, told["items"], strict=True):
            self.heard(sent, item)

    async def put_route(self) -> None:
        key = self.chance.choice(KEYS)
        template = self.chance.choice(self.templates)
        order = {
            "key": key,
            "enabled": self.chance.random() < 0.7,
            "event_type": self.chance.choice([TYPE, "*"]),
            "filter": self.chance.choice([None, "data.other", "!data.other"]),
            "template": self.chance.choice([template.key, template.family]),
            "suffix": self.chance.choice([None, "event.id", '"x"']),
            "mapping": {"name": "data.name"},
            "emit_mode": self.chance.choices(["live", "dry_run"], [9, 1])[0],
            "actor": f"operator-{self.chance.randrange(3)}",
            "reason": "a storm",
        }
        if key in self.routes:
            path = f"/event-routes/{self.routes[key]}"
            self.note("change", await self.operator.put(path, json=order))
            return
        made = self.note("make", await self.operator.post("/event-routes", json=order))
        if "route_id" in made:
            self.routes[key] = made["route_id"]

    async def remove_route(self) -> None:
        if self.routes:
            path = f"/event-routes/{self.routes.pop(self.chance.choice(list(self.routes)))}"
            self.note("remove", await self.operator.delete(path, params={"reason": "a storm"}))

    async def close_and_open(self) -> None:
        gate = "/gates/iu_core." + self.chance.choice(GATES)
        for state in ("closed", "open"):
            order = {"state": state, "reason": "a storm"}
            self.note(state, await self.operator.put(gate, json=order))

    async def fire_again(self) -> None:
        order = {
            **EVER,
            "dry_run": self.chance.random() < 0.3,
            "not_taken": self.chance.random() < 0.5,
        }
        told = self.note("refire", await self.operator.post("/events/refire", json=order))
        if "items" not in told:
            return
        outcomes = ("composed", "replayed", "dry_runs", "refused", "pending", "not_taken")
        assert sum(told[outcome] for outcome in outcomes) == len(told["items"])
        if not order["dry_run"]:
            for item in told["items"]:
                self.came_of(item["event_id"], item)

    async def simulate(self) -> None:
        if self.routes:
            path = f"/event-routes/{self.chance.choice(list(self.routes.values()))}/simulate"
            told = self.note("simulate", await self.operator.post(path, json={"last": 10}))
            assert told.get("taken", 0) <= told.get("events", 0) <= 10


@pytest.fixture
async def other(database: Database, owner: asyncpg.Connection) -> AsyncIterator[Service]:
    """A second service on the same database."""
    async with running_service(database, owner) as running:
        yield running


def counted(services: tuple[Service, ...]) -> int:
    """How many instances the services say that they have composed."""
    samples = (
        service.app.state.metrics.registry.get_sample_value(
            "factory_outcomes_total", {"outcome": "composed"}
        )
        for service in services
    )
    return int(sum(sample or 0 for sample in samples))


async def test_a_storm_of_events_routes_and_firings_leaves_each_result_once(
    service: Service, other: Service, owner: asyncpg.Connection
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    await open_gates(owner, *GATES)
    await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    asking = await make_template(owner, "tpl:file:letter", pieces=2)
    await ask_for(owner, asking, NAMED)
    templates = [asking, await make_template(owner)]
    await owner.execute(WITNESSES)
    services = (service, other)
    storm = Storm(services, templates, random.Random(seed))
    await asyncio.gather(*(storm.client() for _ in range(CLIENTS)))
    for seen, times in sorted(storm.seen.items()):
        print(*seen, times)

    stored = await owner.fetch("SELECT cloudevent_id, content -> 'data' FROM iu_core.iu_event")
    assert {id_: json.loads(data) for id_, data in stored} == storm.accepted
    assert len(stored) == len(storm.accepted)
    assert all(storm.accepted[id_] == data for id_, data in storm.told), "a conflict was known"
    recorded = await owner.fetch(
        """SELECT code, sum(occurrences) AS times FROM iu_core.iu_command_record
            WHERE command = 'post_events' AND outcome = 'refused' GROUP BY code"""
    )
    refused = +Counter({code: n for code, n in storm.refused.items() if code != "overloaded"})
    assert {row["code"]: row["times"] for row in recorded} == refused

    results = await owner.fetch(RESULTS)
    references = {one.collection_id for one in templates} | {one.family_id for one in templates}
    for row in results:
        if row["outcome"] in ("composed", "replayed"):
            item = Item("", event_id=row["event_id"], suffix=row["suffix"])
            assert row["reference_id"] in references
            assert row["instance_collection_id"] == identity(item, row["reference_id"])
    told = {
        (UUID(event_id), UUID(route_id)): UUID(instance)
        for (event_id, route_id), instance in storm.instances.items()
    }
    kept = {(row["event_id"], row["route_id"]): row["instance_collection_id"] for row in results}
    assert told.items() <= kept.items()
    composed = [row["instance_collection_id"] for row in results if row["outcome"] == "composed"]
    log = await owner.fetch(
        "SELECT instance_collection_id FROM iu_core.iu_auto_instantiate_event_log"
    )
    assert sorted(composed) == sorted(row["instance_collection_id"] for row in log)
    assert len(composed) == counted(services) > 0

    assert await owner.fetch(BY_NO_ROUTE_IN_FORCE) == []
    assert await owner.fetch(CONTRADICTIONS) == []
    report = (await service.admin.get("/observability/integrity")).json()
    assert (report["holds"], report["findings"]) == (True, [])
