"""A call's own gate window against other composers and against closing, interleaved by hand.

The window is taken under the gates' shared locks: it blocks no composer, closing waits for it, and
a seal that was committed before its locks were had keeps it out. Each guard is also taken out.
"""

from uuid import UUID

import asyncpg
import pytest

from tests.support.composing import Item, compose, compose_one
from tests.support.gates import COMPOSER, LIVE, close, drain
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.templates import Template, make_template, open_gates

SHARED_LOCK = "PERFORM iu_core.fn_iu_lock('gate', v_gates, true);"
EXCLUSIVE_LOCK = "PERFORM iu_core.fn_iu_lock('gate', v_gates, NOT p_window);"
LOOK_FOR_SEALS = "c.config_key = ANY (p_gates) AND c.sealed_at IS NOT NULL"
OPERATION = UUID(int=7)

either_way = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "guard taken out"])


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from; the gates are closed."""
    return await make_template(owner)


async def through_a_window(connection: asyncpg.Connection, template: Template) -> str:
    """The status of one item in a call with a window."""
    (answer,) = await compose(connection, Item(template.key), window=True, operation_id=OPERATION)
    status: str = answer["status"]
    return status


async def instances(owner: asyncpg.Connection) -> int:
    """How many instances there are for everyone to see."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log")
    return count


@either_way
async def test_an_open_window_blocks_no_composer(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_gates(owner)
    if not guarded:
        await take_out(owner, "fn_iu_compose_admit", SHARED_LOCK, EXCLUSIVE_LOCK)
    window = app_conn.transaction()
    await window.start()
    assert await through_a_window(app_conn, template) == "ok"
    async with racing(observer, second, compose_one(second, Item(template.key))) as other:
        if guarded:
            assert (await other.result())["status"] == "ok"
            assert await instances(owner) == 1, "the window has not been committed yet"
        else:
            await other.blocked(by=app_conn)
        await window.commit()
    assert await instances(owner) == 2


async def test_a_window_admits_nobody_else(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    template: Template,
) -> None:
    window = app_conn.transaction()
    await window.start()
    assert await through_a_window(app_conn, template) == "ok"
    assert (await compose_one(second, Item(template.key)))["status"] == "live_gate_closed"
    await window.commit()
    assert (await compose_one(second, Item(template.key)))["status"] == "live_gate_closed"
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "live_gate_closed"
    assert await instances(owner) == 1
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_gate_lease") == 0


@either_way
async def test_sealing_waits_for_the_window_in_flight_and_keeps_out_the_one_behind_it(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_compose_verdicts", LOOK_FOR_SEALS, "false")
    window = app_conn.transaction()
    await window.start()
    assert await through_a_window(app_conn, template) == "ok"
    await close(third, COMPOSER, LIVE, seal=True)
    async with racing(observer, third, drain(third, COMPOSER, LIVE)) as closing:
        await closing.blocked(by=app_conn)
        async with racing(observer, second, through_a_window(second, template)) as late:
            await late.blocked()
            assert not closing.done
            await window.commit()
            await closing.result()
            assert await late.result() == ("gate_sealed" if guarded else "ok")
    assert await instances(owner) == (1 if guarded else 2)


async def test_without_its_lock_a_window_is_committed_after_the_closing_was_answered(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    template: Template,
) -> None:
    """The proof that the shared lock is what closing waits for."""
    await take_out(owner, "fn_iu_compose_admit", SHARED_LOCK)
    window = app_conn.transaction()
    await window.start()
    assert await through_a_window(app_conn, template) == "ok"
    await close(second, COMPOSER, LIVE, seal=True)
    await drain(second, COMPOSER, LIVE)
    await window.commit()
    assert await instances(owner) == 1
