"""Requests that arrive while calls are in flight go together, and nobody pays for a neighbour.

Which requests shared a call is read from the log: rows of one transaction have one xmin.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.db import engine
from app.db.composing import ComposeItem, compose_many
from app.db.limits import COALESCED, Limits
from app.errors import Refusal
from app.metrics import Metrics
from app.services import coalescer as coalescing
from app.services.coalescer import CONNECTIONS, FLIGHTS, LONERS, Coalescer
from app.services.composing import Composer
from tests.support.composing import an_item
from tests.support.databases import Connect, Database
from tests.support.interleaving import DEADLINE, wait_until
from tests.support.proxy import Proxy, proxied
from tests.support.templates import Template, close_gates, make_template, open_gates

Answer = dict[str, Any]
Asked = asyncio.Task[Answer]

PATIENT = Limits(statement_ms=20_000, lock_ms=10_000)
"""Calls that wait for a test's locks as long as it likes."""

ON_THE_WAY = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner)
    return await make_template(owner)


@asynccontextmanager
async def coalescing_on(url: str, call: Limits = COALESCED) -> AsyncIterator[Composer]:
    """A coalescer with pools of its own, as the application makes them."""
    together = engine.Database(url, pool_size=CONNECTIONS, call=call, repeats_blocked=False)
    alone = engine.Database(url, pool_size=10, call=PATIENT)
    coalescer = Coalescer(compose_many, together, alone, Metrics())
    try:
        yield coalescer
    finally:
        await coalescer.close()
        assert coalescer.status() == {"unanswered": 0, "waiting": 0}
        await together.close()
        await alone.close()


@pytest.fixture
async def patient(database: Database) -> AsyncIterator[Composer]:
    """One whose calls wait for locks."""
    async with coalescing_on(database.app_url, PATIENT) as coalescer:
        yield coalescer


@pytest.fixture
async def coalescer(database: Database) -> AsyncIterator[Composer]:
    """One with the limits of the service."""
    async with coalescing_on(database.app_url) as coalescer:
        yield coalescer


def asked(coalescer: Composer, *items: ComposeItem) -> list[Asked]:
    """A request for each item, all at the same moment."""
    return [asyncio.ensure_future(coalescer.send(item)) for item in items]


async def answers_of(requests: list[Asked]) -> list[Answer]:
    """What they are answered; AssertionError where one is not."""
    _, pending = await asyncio.wait(requests, timeout=DEADLINE)
    assert not pending, f"{len(pending)} of {len(requests)} have no answer"
    return [request.result() for request in requests]


async def statuses_of(requests: list[Asked]) -> list[str]:
    """The statuses of their answers."""
    return [answer["status"] for answer in await answers_of(requests)]


async def together(owner: asyncpg.Connection) -> list[int]:
    """How many instances each call has composed, the smallest first."""
    rows = await owner.fetch(
        """SELECT count(*) AS n FROM iu_core.iu_auto_instantiate_event_log
            GROUP BY xmin::text ORDER BY 1"""
    )
    return [row["n"] for row in rows]


class Jam:
    """All flights of the writing lane are in the air and can't land until the jam is cleared."""

    def __init__(self, holder: asyncpg.Connection, observer: asyncpg.Connection) -> None:
        self._holder = holder
        self._observer = observer
        self.flying: list[Asked] = []

    async def build(self, coalescer: Composer, template: Template) -> None:
        """Start a call for each flight, one by one."""
        await self._holder.execute("BEGIN")
        await self._holder.execute(
            "SELECT iu_core.fn_iu_lock('family', ARRAY[$$" + template.family + "$$], false)"
        )
        for number in range(1, FLIGHTS + 1):
            self.flying += asked(coalescer, an_item(template))
            await self.waiting(number)

    async def waiting(self, number: int) -> None:
        """Until so many backends wait for a lock."""

        async def so_many() -> bool:
            return bool(await self._observer.fetchval(ON_THE_WAY) == number)

        await wait_until(so_many, f"{number} calls wait")

    async def clear(self) -> None:
        """Let everybody go on."""
        await self._holder.execute("ROLLBACK")


@pytest.fixture
async def jam(connect: Connect, observer: asyncpg.Connection) -> Jam:
    """A jam, not built yet."""
    return Jam(await connect("owner"), observer)


async def test_an_idle_one_sends_a_request_at_once_and_alone(
    coalescer: Composer, owner: asyncpg.Connection, template: Template
) -> None:
    for _ in range(3):
        (answer,) = await answers_of(asked(coalescer, an_item(template)))
        assert answer["status"] == "ok"
    assert await together(owner) == [1, 1, 1]


async def test_what_arrives_while_calls_are_in_flight_goes_together(
    patient: Composer, owner: asyncpg.Connection, template: Template, jam: Jam
) -> None:
    await jam.build(patient, template)
    requests = []
    for _ in range(10):
        requests += asked(patient, an_item(template))
        await asyncio.sleep(0)
    assert patient.status() == {"unanswered": FLIGHTS + 10, "waiting": 10}
    await jam.clear()
    assert set(await statuses_of(jam.flying + requests)) == {"ok"}
    assert await together(owner) == [1] * FLIGHTS + [10]


async def test_each_request_keeps_its_own_outcome(
    patient: Composer, owner: asyncpg.Connection, template: Template, jam: Jam
) -> None:
    known = an_item(template)
    (original,) = await answers_of(asked(patient, known))
    await jam.build(patient, template)
    fresh = an_item(template)
    requests = asked(
        patient,
        fresh,
        an_item(template, known.event_id),
        an_item(template, known.event_id, data='{"other":1}'),
        an_item(template, template="tpl:no:such"),
        an_item(template, fresh.event_id),
        an_item(template, emit_mode="shadow"),
        an_item(template, suffix="other"),
    )
    await asyncio.sleep(0)
    await jam.clear()
    answers = await answers_of(requests)
    assert [answer["status"] for answer in answers] == [
        "ok",
        "idempotent_replay",
        "idempotency_conflict",
        "template_collection_not_found",
        "idempotent_replay",
        "invalid_emit_mode",
        "ok",
    ]
    assert answers[1] == original | {"ordinal": 2, "status": "idempotent_replay"}
    assert answers[4]["instance_collection_id"] == answers[0]["instance_collection_id"]
    assert answers[6]["event_id"] != answers[0]["event_id"]
    await answers_of(jam.flying)
    assert await together(owner) == [1] * (1 + FLIGHTS) + [2]


async def test_who_asks_for_what_another_holds_does_not_keep_the_others(
    coalescer: Composer, connect: Connect, owner: asyncpg.Connection, template: Template
) -> None:
    holder = await connect("owner")
    async with holder.transaction():
        await holder.execute("SELECT iu_core.fn_iu_lock('actor', ARRAY['held'], false)")
        *others, held = asked(
            coalescer, *(an_item(template) for _ in range(9)), an_item(template, actor="held")
        )
        # All of them are answered while the lock is still held: what was sent again was halved.
        assert set(await statuses_of(others)) == {"ok"}
        assert not held.done()
        assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_piece_collection") == 9 + 1
    assert await statuses_of([held]) == ["ok"]


async def test_one_that_fails_fails_alone(
    coalescer: Composer,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await observer.execute("""
        CREATE FUNCTION iu_core.fails() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION USING ERRCODE = '23514', MESSAGE = 'as the test wants it';
        END $$;
        CREATE TRIGGER fails BEFORE INSERT ON iu_core.iu_auto_instantiate_event_log
            FOR EACH ROW WHEN (NEW.suffix = 'bad') EXECUTE FUNCTION iu_core.fails()
    """)
    suffixes = ["", "", "bad", "", "", "", "bad", ""]
    requests = asked(coalescer, *(an_item(template, suffix=suffix) for suffix in suffixes))
    await asyncio.wait(requests, timeout=DEADLINE)
    for request, suffix in zip(requests, suffixes, strict=True):
        if suffix == "bad":
            assert isinstance(request.exception(), asyncpg.CheckViolationError)
        else:
            assert request.result()["status"] == "ok"
    assert sum(await together(owner)) == 6


async def test_a_client_that_goes_away_while_it_waits_is_left_out(
    patient: Composer, owner: asyncpg.Connection, template: Template, jam: Jam
) -> None:
    await jam.build(patient, template)
    items = [an_item(template) for _ in range(3)]
    requests = asked(patient, *items)
    await asyncio.sleep(0)
    requests[1].cancel()
    await asyncio.wait({requests[1]})
    await jam.clear()
    assert await statuses_of([*jam.flying, requests[0], requests[2]]) == ["ok"] * (FLIGHTS + 2)
    assert await together(owner) == [1] * FLIGHTS + [2]
    assert await statuses_of(asked(patient, items[1])) == ["ok"]


async def test_a_client_that_goes_away_under_way_is_answered_truthfully_when_it_comes_back(
    patient: Composer, template: Template, jam: Jam
) -> None:
    await jam.build(patient, template)
    items = [an_item(template) for _ in range(2)]
    requests = asked(patient, *items)
    for flying in jam.flying:
        flying.cancel()
    await asyncio.wait(jam.flying)
    await jam.clear()
    assert await statuses_of(requests) == ["ok", "ok"]
    again = an_item(template, items[0].event_id)
    assert await statuses_of(asked(patient, again)) == ["idempotent_replay"]


async def test_a_full_house_is_said_at_once(
    patient: Composer, template: Template, jam: Jam, monkeypatch: pytest.MonkeyPatch
) -> None:
    await jam.build(patient, template)
    monkeypatch.setattr(coalescing, "MOST_UNANSWERED", FLIGHTS + 1)
    (last,) = asked(patient, an_item(template))
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await patient.send(an_item(template))
    assert (refused.value.code, refused.value.members) == ("overloaded", {"retry_after": 1})
    await jam.clear()
    assert set(await statuses_of([*jam.flying, last])) == {"ok"}


async def test_who_waits_too_long_is_told_and_not_composed(
    patient: Composer,
    owner: asyncpg.Connection,
    template: Template,
    jam: Jam,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await jam.build(patient, template)
    monkeypatch.setattr(coalescing, "LONGEST_WAIT_S", 0.01)
    impatient = an_item(template)
    with pytest.raises(Refusal, match="waited too long") as refused:
        await asyncio.wait_for(patient.send(impatient), DEADLINE)
    assert refused.value.code == "overloaded"
    await jam.clear()
    await answers_of(jam.flying)
    assert await together(owner) == [1] * FLIGHTS
    assert await statuses_of(asked(patient, impatient)) == ["ok"]


async def test_who_waits_for_a_lock_behind_too_many_others_is_told_and_not_composed(
    coalescer: Composer,
    owner: asyncpg.Connection,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coalescing, "LONGEST_WAIT_S", 0.01)
    held = owner.transaction()
    await held.start()
    await owner.execute("SELECT iu_core.fn_iu_lock('actor', ARRAY['held'], false)")
    requests = asked(coalescer, *(an_item(template, actor="held") for _ in range(LONERS + 3)))

    async def all_but_the_loners() -> bool:
        return sum(request.done() for request in requests) == len(requests) - LONERS

    await wait_until(all_but_the_loners, "those that nobody could wait with are told")
    told = [request.exception() for request in requests if request.done()]
    assert [one.code for one in told if isinstance(one, Refusal)] == ["overloaded"] * 3
    await held.rollback()
    await asyncio.wait(requests, timeout=DEADLINE)
    assert sum(await together(owner)) == LONERS


async def test_a_call_carries_no_more_actors_than_the_orchestrator_takes(
    patient: Composer, owner: asyncpg.Connection, template: Template, jam: Jam
) -> None:
    await jam.build(patient, template)
    requests = asked(patient, *(an_item(template, actor=f"bot-{n}") for n in range(65)))
    await asyncio.sleep(0)
    await jam.clear()
    assert set(await statuses_of(jam.flying + requests)) == {"ok"}
    assert await together(owner) == [1] * (FLIGHTS + 1) + [64]


async def test_a_call_carries_no_more_items_and_bytes_than_it_should(
    patient: Composer,
    owner: asyncpg.Connection,
    template: Template,
    jam: Jam,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coalescing, "MOST_TOGETHER", 4)
    monkeypatch.setattr(coalescing, "MOST_BYTES", 30)
    await jam.build(patient, template)
    large = '{"a":"' + 50 * "x" + '"}'
    requests = asked(
        patient,
        *(an_item(template) for _ in range(5)),
        an_item(template, data=large),
        *(an_item(template) for _ in range(2)),
    )
    await asyncio.sleep(0)
    await jam.clear()
    assert set(await statuses_of(jam.flying + requests)) == {"ok"}
    # 4 by their number; the fifth before the large one, which goes alone; the last two.
    assert await together(owner) == [1] * (FLIGHTS + 2) + [2, 4]


async def test_a_dry_run_does_not_wait_for_what_writes(
    patient: Composer, connect: Connect, template: Template, jam: Jam
) -> None:
    holder = await connect("owner")
    async with holder.transaction():
        await holder.execute("SELECT iu_core.fn_iu_lock('actor', ARRAY['hr-bot'], false)")
        live = []
        for number in range(1, FLIGHTS + 1):
            live += asked(patient, an_item(template))
            await jam.waiting(number)
        (dry,) = await answers_of(asked(patient, an_item(template, emit_mode="dry_run")))
        assert (dry["status"], dry["would_be"]) == ("ok", "composed")
        assert not any(request.done() for request in live)
    assert set(await statuses_of(live)) == {"ok"}


async def test_closing_waits_until_everybody_has_an_answer(
    database: Database, owner: asyncpg.Connection, template: Template, jam: Jam
) -> None:
    async with coalescing_on(database.app_url, PATIENT) as coalescer:
        await jam.build(coalescer, template)
        requests = asked(coalescer, *(an_item(template) for _ in range(5)))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(coalescer.close())
        await jam.waiting(FLIGHTS)
        assert not closing.done()
        await jam.clear()
        await asyncio.wait_for(closing, DEADLINE)
        assert all(request.done() for request in jam.flying + requests)
    assert await together(owner) == [1] * FLIGHTS + [5]


async def test_a_commit_whose_answer_was_lost_still_answers_everybody_that_it_composed(
    database: Database, owner: asyncpg.Connection, template: Template
) -> None:
    async with proxied(database) as proxy, coalescing_on(proxy.app_url) as coalescer:
        await _lose_one_answer(proxy, coalescer, template)
    assert await together(owner) == [6]


async def _lose_one_answer(proxy: Proxy, coalescer: Composer, template: Template) -> None:
    proxy.lose_answer_to("fn_iu_auto_instantiate_many")
    requests = asked(coalescer, *(an_item(template) for _ in range(6)))
    assert set(await statuses_of(requests)) == {"ok"}
    assert proxy.sent("fn_iu_auto_instantiate_many") == 2


async def test_a_gate_that_closes_is_closed_for_all_that_waits(
    patient: Composer, owner: asyncpg.Connection, template: Template, jam: Jam
) -> None:
    await jam.build(patient, template)
    requests = asked(patient, *(an_item(template) for _ in range(4)))
    await close_gates(owner)
    await jam.clear()
    assert set(await statuses_of(requests)) == {"live_gate_closed"}


async def test_several_processes_compose_each_event_once(
    database: Database, owner: asyncpg.Connection, template: Template
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    events = [uuid4() for _ in range(60)]
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(coalescing_on(database.app_url)) for _ in range(3)
        ]
        requests: list[tuple[UUID, Asked]] = []
        for _ in range(400):
            event = chance.choice(events)
            (request,) = asked(chance.choice(processes), an_item(template, event))
            requests.append((event, request))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        answers = await answers_of([request for _, request in requests])
    composed = Counter(
        event
        for (event, _), answer in zip(requests, answers, strict=True)
        if answer["status"] == "ok"
    )
    assert {answer["status"] for answer in answers} == {"ok", "idempotent_replay"}
    assert set(composed.values()) == {1}
    assert sum(await together(owner)) == len({event for event, _ in requests})
