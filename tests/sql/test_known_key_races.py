"""A known key is answered before gates and templates are looked at, also when it came to be known
while the call waited for its locks.

Each race runs as it is, and once more without the second look under the locks.
"""

import asyncio
import dataclasses
from collections import Counter
from uuid import uuid4

import asyncpg
import pytest

from tests.support.authoring import AUTHORING, create_template, create_version
from tests.support.composing import Item, compose_one
from tests.support.databases import Connect
from tests.support.gates import COMPOSER, LIVE, close, drain, lease
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.parameters import DATED, NAMED, RIGHT, judged, publish_asking
from tests.support.templates import Template, make_template, open_gates

SECOND_LOOK = "v_items := iu_core.fn_iu_compose_reconsider(v_before, v_items);"

either_way = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "guard taken out"])


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from."""
    return await make_template(owner)


@pytest.fixture(autouse=True)
async def looked_twice(owner: asyncpg.Connection, guarded: bool) -> None:
    """The second look, taken out where the race runs without its guard."""
    if not guarded:
        await take_out(owner, "fn_iu_auto_instantiate_many", SECOND_LOOK, "")


def sent_again(item: Item) -> Item:
    """The same event in another request."""
    return dataclasses.replace(item, request_id=uuid4())


async def refusals(owner: asyncpg.Connection) -> list[str]:
    """The codes of what was refused."""
    rows = await owner.fetch(
        "SELECT code FROM iu_core.iu_command_record WHERE outcome = 'refused' ORDER BY 1"
    )
    return [row["code"] for row in rows]


@either_way
@pytest.mark.parametrize("own_retry", [False, True], ids=["another request", "own retry"])
async def test_behind_the_one_that_had_the_last_use_of_a_lease(
    guarded: bool,
    own_retry: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_gates(owner, "composer_enabled")
    await lease(app_conn, LIVE, uses=1)
    item = Item(template.key)
    composing = app_conn.transaction()
    await composing.start()
    original = await compose_one(app_conn, item)
    again = item if own_retry else sent_again(item)
    async with racing(observer, second, compose_one(second, again)) as late:
        await late.blocked(by=app_conn)
        await composing.commit()
        answer = await late.result()
    if guarded:
        assert answer == original | {"status": "ok" if own_retry else "idempotent_replay"}
        assert await refusals(owner) == []
    else:
        assert answer["status"] == "live_gate_closed"


@either_way
async def test_behind_a_closing_that_drains(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_gates(owner)
    item = Item(template.key)
    composing = app_conn.transaction()
    await composing.start()
    original = await compose_one(app_conn, item)
    await close(third, COMPOSER)
    async with racing(observer, third, drain(third, COMPOSER)) as draining:
        await draining.blocked(by=app_conn)
        async with racing(observer, second, compose_one(second, sent_again(item))) as late:
            await late.blocked()
            await composing.commit()
            answer = await late.result()
    if guarded:
        assert answer == original | {"status": "idempotent_replay"}
        assert await refusals(owner) == []
    else:
        assert answer["status"] == "composer_gate_closed"


@either_way
async def test_behind_a_version_that_is_being_published(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await open_gates(
        owner,
        "composer_enabled",
        "auto_instantiate_enabled",
        "piece_write_enabled",
        "template_authoring_enabled",
    )
    await create_template(app_conn)
    item = Item("tpl:wf:onboarding/v1", require_current=True)
    composing = app_conn.transaction()
    await composing.start()
    original = await compose_one(app_conn, item)
    edits = [{"op": "remove", "position": 1}]
    async with racing(observer, third, create_version(third, edits=edits)) as publishing:
        await publishing.blocked(by=app_conn)
        async with racing(observer, second, compose_one(second, sent_again(item))) as late:
            await late.blocked()
            await composing.commit()
            assert (await publishing.result())["status"] == "ok"
            answer = await late.result()
    if guarded:
        assert answer == original | {"status": "idempotent_replay"}
    else:
        assert answer["status"] == "template_superseded"


@either_way
async def test_behind_a_version_that_asks_for_other_data(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")
    await publish_asking(third, NAMED)
    item = judged(Item("tpl:wf:onboarding", data=RIGHT), NAMED)
    composing = app_conn.transaction()
    await composing.start()
    original = await compose_one(app_conn, item)
    async with racing(observer, third, publish_asking(third, DATED)) as publishing:
        await publishing.blocked(by=app_conn)
        async with racing(observer, second, compose_one(second, sent_again(item))) as late:
            await late.blocked()
            await composing.commit()
            assert await publishing.result() == "tpl:wf:onboarding/v2"
            answer = await late.result()
    if guarded:
        assert answer == original | {"status": "idempotent_replay"}
    else:
        assert answer["status"] == "data_unjudged"


@pytest.mark.parametrize("guarded", [True])
async def test_of_64_at_once_under_a_lease_of_one_use_one_composes_and_63_replay(
    guarded: bool, owner: asyncpg.Connection, connect: Connect, template: Template
) -> None:
    await open_gates(owner, "composer_enabled")
    connections = [await connect("app") for _ in range(16)]
    await lease(connections[0], LIVE, uses=1)
    item = Item(template.key)

    async def some(connection: asyncpg.Connection) -> list[str]:
        return [(await compose_one(connection, sent_again(item)))["status"] for _ in range(4)]

    statuses = await asyncio.gather(*map(some, connections))
    counts = Counter(status for some_of_them in statuses for status in some_of_them)
    assert counts == {"ok": 1, "idempotent_replay": 63}
