"""What a plan is worth later: stale, gone in part, or applied already by the same request."""

import dataclasses
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item
from tests.support.mutation import take_out
from tests.support.rollback import (
    HR,
    NOTHING,
    Selectors,
    apply,
    buried,
    by_actor,
    composed,
    plan,
    present,
    refusal,
)
from tests.support.templates import Template, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def test_a_plan_whose_ground_has_moved_removes_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    first = await composed(app_conn, Item(template.key))
    planned = await plan(app_conn, HR)
    more = await composed(app_conn, Item(template.key))

    assert await apply(app_conn, HR, planned) == {"status": "plan_stale"}

    assert await present(owner) == {*first, *more}
    assert await buried(owner) == []
    assert (await refusal(owner))["code"] == "plan_stale"


async def test_a_digest_of_something_else_removes_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    ids = await composed(app_conn, Item(template.key))
    planned = await plan(app_conn, HR) | {"plan_digest": NOTHING}
    assert (await apply(app_conn, HR, planned))["status"] == "plan_stale"
    assert await present(owner) == set(ids)


async def test_what_others_rolled_back_since_the_plan_is_gone_and_the_rest_is_removed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(
        app_conn,
        Item(template.key),
        Item(template.key),
        Item(template.key, actor="it-bot"),
    )
    selectors = Selectors(template=template.key)
    planned = await plan(app_conn, selectors)
    await by_actor(app_conn, "hr-bot")

    half = await apply(app_conn, selectors, planned)
    again = await apply(app_conn, selectors, planned)

    assert (half["planned"], half["deleted"], half["gone"]) == (3, 1, 2)
    assert (again["planned"], again["deleted"], again["gone"]) == (3, 0, 3)
    assert await present(owner) == set()
    assert len(await buried(owner)) == 3


async def test_what_was_rolled_back_before_the_plan_is_not_gone(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, Item(template.key))
    before = await plan(app_conn, HR)
    await by_actor(app_conn, "hr-bot")
    later = await plan(app_conn, HR)
    stale = before | {"planned_at": later["planned_at"]}
    assert (await apply(app_conn, HR, stale))["status"] == "plan_stale"


@pytest.mark.parametrize("guarded", [True, False])
async def test_what_was_rolled_back_and_composed_again_since_the_plan_is_not_removed(
    guarded: bool, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """It has the id that was planned, but it is not what was looked at."""
    if not guarded:
        since = "AND t.rolled_back_at >= p_planned_at"
        await take_out(owner, "fn_iu_rollback_gone", since, "AND false")
    item = Item(template.key)
    (instance,) = await composed(app_conn, item)
    planned = await plan(app_conn, HR)
    await by_actor(app_conn, "hr-bot", release_keys=True)
    await composed(app_conn, dataclasses.replace(item, request_id=uuid4()))

    answer = await apply(app_conn, HR, planned)

    if guarded:
        assert answer == {"status": "plan_stale"}
        assert await present(owner) == {instance}
    else:
        assert answer["deleted"] == 1
        assert await present(owner) == set()


async def test_the_service_s_own_retry_is_told_what_the_first_attempt_did(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """As after a COMMIT whose answer was lost, and although the actor has composed since."""
    await composed(app_conn, Item(template.key), Item(template.key, actor="it-bot"))
    planned = await plan(app_conn, HR)
    request = uuid4()
    first = await apply(app_conn, HR, planned, request_id=request)
    assert (first["deleted"], first["rollback_operation_id"]) == (1, str(request))
    await composed(app_conn, Item(template.key))

    assert await apply(app_conn, HR, planned, request_id=request) == first

    request = uuid4()
    first = await by_actor(app_conn, "it-bot", request_id=request)
    assert first["instances"] == 1
    await composed(app_conn, Item(template.key, actor="it-bot"))

    assert await by_actor(app_conn, "it-bot", request_id=request) == first

    assert len(await present(owner)) == 2
    assert len(await buried(owner)) == 2
