"""What a rollback selects, and what it refuses to select: input, rights, size."""

import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose
from tests.support.rollback import (
    HR,
    NOTHING,
    OPERATOR,
    PRINCIPAL,
    Selectors,
    apply,
    by_actor,
    composed,
    many,
    plan,
    plan_digest,
    present,
    refusal,
    release_keys,
    row_counts,
)
from tests.support.templates import Template, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def test_every_selector_selects_what_it_names_and_all_of_them_together(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    newer = await make_template(owner, version=2)
    other = await make_template(owner, "tpl:file:status-report")
    event, operation = uuid4(), uuid4()
    (first,) = await composed(app_conn, Item(template.key, event_id=event))
    (second,) = await composed(app_conn, Item(template.family, event_id=event, actor="it-bot"))
    (answer,) = await compose(app_conn, Item(other.key), operation_id=operation)
    third, composed_at = answer["instance_collection_id"], answer["composed_at"]
    moment = timedelta(microseconds=1)

    expected: list[tuple[Selectors, set[UUID]]] = [
        (Selectors(actor="hr-bot"), {first, third}),
        (Selectors(actor="it-bot"), {second}),
        (Selectors(actor="nobody"), set()),
        (Selectors(event_id=event), {first, second}),
        (Selectors(operation_id=operation), {third}),
        (Selectors(template=str(template.collection_id)), {first}),
        (Selectors(template=str(newer.collection_id).upper()), {second}),
        (Selectors(template="tpl:wf:onboarding/v1"), {first}),
        (Selectors(template="tpl:wf:onboarding@v2"), {second}),
        (Selectors(template="tpl:wf:onboarding"), {first, second}),
        (Selectors(composed_from=composed_at), {third}),
        (Selectors(composed_from=composed_at + moment), set()),
        (Selectors(composed_to=composed_at), {first, second}),
        (Selectors(composed_to=composed_at + moment), {first, second, third}),
        (Selectors(actor="hr-bot", event_id=event), {first}),
        (Selectors(actor="hr-bot", template=other.key), {third}),
        (Selectors(actor="hr-bot", composed_to=composed_at), {first}),
        (Selectors(template="tpl:wf:onboarding", composed_from=composed_at), set()),
        (Selectors(operation_id=operation, event_id=event), set()),
        (
            Selectors("hr-bot", operation, None, other.family, composed_at, composed_at + moment),
            {third},
        ),
    ]
    for selectors, ids in expected:
        planned = await plan(app_conn, selectors)
        assert planned["plan_digest"] == plan_digest(ids), selectors

    # Of what is gone the same selectors find the tombstones.
    await by_actor(app_conn, "hr-bot")
    await by_actor(app_conn, "it-bot")
    for selectors, ids in expected:
        transaction = app_conn.transaction()
        await transaction.start()
        assert (await release_keys(app_conn, selectors))["released"] == len(ids), selectors
        await transaction.rollback()


async def test_an_unversioned_template_belongs_to_its_family(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await owner.execute("DELETE FROM iu_core.iu_collection_template_current_log")
    await owner.execute("DELETE FROM iu_core.iu_collection_template_version")
    (instance,) = await composed(app_conn, Item(template.key))
    planned = await plan(app_conn, Selectors(template=template.family))
    assert planned["plan_digest"] == plan_digest([instance])


async def test_an_instance_of_no_event_is_never_selected(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    by_hand = uuid4()
    await owner.execute(
        """INSERT INTO iu_core.iu_piece_collection VALUES ($1, now(), true, 'by hand', $2)""",
        by_hand,
        template.composition_digest,
    )
    await owner.execute(
        """INSERT INTO iu_core.iu_collection_template_instance_lineage
           VALUES ($1, $2, now(), $3)""",
        by_hand,
        template.collection_id,
        template.composition_digest,
    )
    assert (await plan(app_conn, Selectors(template=template.key)))["instances"] == 0


async def test_every_selector_is_answered_from_an_index(
    owner: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:status-report")
    await many(owner, template, 20_000)
    await composed(owner, Item(other.key, actor="rare"))
    await owner.execute("ANALYZE")
    moment = datetime(2025, 1, 1, 3, tzinfo=UTC)
    minute = Selectors(composed_from=moment, composed_to=moment + timedelta(minutes=1))
    event = await owner.fetchval("SELECT md5('event7')::uuid")
    operation = await owner.fetchval("SELECT md5('operation7')::uuid")
    for selectors, instances in (
        (Selectors(actor="rare"), 1),
        (dataclasses.replace(minute, actor="bot-1"), 8),
        (Selectors(event_id=event), 1),
        (Selectors(operation_id=operation), 100),
        (Selectors(template=other.key), 1),
        (dataclasses.replace(minute, template=template.key), 60),
        (minute, 60),
    ):
        async with owner.transaction():
            assert (await plan(owner, selectors))["instances"] == instances
            scanned = await owner.fetch(
                """SELECT relname FROM pg_stat_xact_user_tables
                    WHERE seq_scan > 0 AND relname IN
                          ('iu_piece_collection', 'iu_collection_template_instance_lineage',
                           'iu_auto_instantiate_event_log')"""
            )
        assert scanned == [], selectors


@pytest.mark.parametrize(
    ("selectors", "pointers"),
    [
        (Selectors(), ["/selectors"]),
        (Selectors(actor="Not An Actor"), ["/selectors/actor"]),
        (Selectors(actor=""), ["/selectors/actor"]),
        (Selectors(template="tpl:wf"), ["/selectors/template"]),
        (
            Selectors(
                actor="*",
                composed_from=datetime(2025, 1, 2, tzinfo=UTC),
                composed_to=datetime(2025, 1, 2, tzinfo=UTC),
            ),
            ["/selectors/actor", "/selectors/composed_to"],
        ),
    ],
)
async def test_malformed_selectors_are_refused_all_at_once(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    selectors: Selectors,
    pointers: list[str],
) -> None:
    answer = await plan(app_conn, selectors)
    assert answer["status"] == "invalid_input"
    assert [error["pointer"] for error in answer["errors"]] == pointers
    assert await refusal(owner) == {
        "command": "plan_rollback",
        "code": "invalid_input",
        "actor": OPERATOR,
        "principal": PRINCIPAL,
        "details": {"errors": answer["errors"]},
    }


async def test_malformed_arguments_of_the_others_are_refused(app_conn: asyncpg.Connection) -> None:
    planned = {"plan_digest": "ABC", "planned_at": "2025-06-01T00:00:00+00:00"}
    answer = await apply(app_conn, HR, planned, reason="")
    assert [error["pointer"] for error in answer["errors"]] == ["/plan_digest", "/reason"]
    answer = await release_keys(app_conn, HR, reason="two\nlines")
    assert [error["pointer"] for error in answer["errors"]] == ["/reason"]
    answer = await by_actor(app_conn, None, reason="two\nlines")
    assert [error["pointer"] for error in answer["errors"]] == ["/actor", "/reason"]


@pytest.mark.parametrize(
    "reference", ["tpl:wf:onboarding/v9", "tpl:wf:nothing", "00000000-0000-4000-8000-000000000000"]
)
async def test_a_template_that_is_none_is_refused(
    app_conn: asyncpg.Connection, template: Template, reference: str
) -> None:
    assert await plan(app_conn, Selectors(template=reference)) == {
        "status": "template_collection_not_found",
        "template": reference,
    }


async def test_only_allowed_actors_are_rolled_back(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    event = uuid4()
    ids = await composed(
        app_conn,
        Item(template.key, event_id=event, suffix="1", actor="hr-bot"),
        Item(template.key, event_id=event, suffix="2", actor="hr-temp-7"),
        Item(template.key, event_id=event, suffix="3", actor="it-bot"),
    )
    named = {"status": "actor_not_allowed", "actor": "it-bot"}
    found = {"status": "actor_not_allowed"}
    own = "hr-bot hr-temp-"
    it_bot, of_event = Selectors(actor="it-bot"), Selectors(event_id=event)

    planned = await plan(app_conn, of_event)
    assert await plan(app_conn, it_bot, allowed=own) == named
    assert await plan(app_conn, of_event, allowed=own) == found
    assert await apply(app_conn, it_bot, planned, allowed=own) == named
    assert await apply(app_conn, of_event, planned, allowed=own) == found
    assert await by_actor(app_conn, "it-bot", allowed=own) == named
    assert await by_actor(app_conn, "it-bot", dry_run=True, allowed=own) == named
    assert await present(owner) == set(ids)

    for actor in ("hr-bot", "hr-temp-7"):
        selectors = Selectors(actor=actor, event_id=event)
        planned = await plan(app_conn, selectors, allowed=own)
        assert (await apply(app_conn, selectors, planned, allowed=own))["deleted"] == 1
    assert await present(owner) == {ids[2]}

    await by_actor(app_conn, "it-bot")
    assert await release_keys(app_conn, it_bot, allowed=own) == named
    assert await release_keys(app_conn, of_event, allowed=own) == found
    mine = Selectors(actor="hr-bot")
    assert (await release_keys(app_conn, mine, allowed=own))["released"] == 1
    kept = await owner.fetch(
        "SELECT actor FROM iu_core.iu_instance_tombstone WHERE released_at IS NULL ORDER BY 1"
    )
    assert [row["actor"] for row in kept] == ["hr-temp-7", "it-bot"]


async def test_more_than_64_actors_at_once_are_too_many_to_lock(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    for bots in (range(64), range(64, 65)):
        await composed(app_conn, *(Item(template.key, actor=f"bot-{bot}") for bot in bots))
        planned = await plan(app_conn, Selectors(template=template.key))
        if len(bots) == 64:
            assert planned["instances"] == 64
    assert planned == {"status": "too_large", "counted": "actors", "limit": 64}
    refused = {"plan_digest": NOTHING, "planned_at": "2025-06-01T00:00:00+00:00"}
    assert await apply(app_conn, Selectors(template=template.key), refused) == planned
    assert len(await present(owner)) == 65


async def test_more_than_10_000_instances_are_too_large_for_one_transaction(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await many(owner, template, 10_001)
    await owner.execute("UPDATE iu_core.iu_auto_instantiate_event_log SET actor = 'bot'")
    too_large = {"status": "too_large", "counted": "instances", "limit": 10_000}
    refused = {"plan_digest": NOTHING, "planned_at": "2025-06-01T00:00:00+00:00"}
    assert (await plan(app_conn, Selectors(actor="bot")))["instances"] == 10_001
    assert await apply(app_conn, Selectors(actor="bot"), refused) == too_large
    assert await by_actor(app_conn, "bot", dry_run=True) == too_large
    assert await by_actor(app_conn, "bot") == too_large
    assert (await row_counts(owner))["collections"] == 10_001

    but_one = Selectors(actor="bot", composed_from=datetime(2025, 1, 1, 0, 0, 2, tzinfo=UTC))
    planned = await plan(app_conn, but_one)
    assert (await apply(app_conn, but_one, planned))["deleted"] == 10_000
    last = await by_actor(app_conn, "bot")
    assert last["instances"] == 1
    assert (await release_keys(app_conn, Selectors(actor="bot"))) == too_large
    assert (await release_keys(app_conn, but_one))["released"] == 10_000
