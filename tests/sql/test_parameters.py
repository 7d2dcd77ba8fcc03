"""Data that a template asks for: the last check of composing, in its place and under the locks."""

import dataclasses
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support.authoring import AUTHORING
from tests.support.composing import Item, compose, compose_one
from tests.support.gates import COMPOSER, lease
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.parameters import (
    DATED,
    LENIENT,
    NAMED,
    RIGHT,
    WRONG,
    ask_for,
    digest_of_schema,
    errors_in,
    judged,
    publish_asking,
)
from tests.support.rollback import by_actor
from tests.support.rows import one_row
from tests.support.templates import Template, close_gates, make_template, open_gates

FAMILY = "tpl:wf:onboarding"


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1, current, which asks for a name; the gates of composing are open."""
    await open_gates(owner)
    made = await make_template(owner)
    await ask_for(owner, made, NAMED)
    return made


def asked(document: dict[str, Any], key: str = f"{FAMILY}/v1", data: str = WRONG) -> dict[str, Any]:
    """The details of data that is refused."""
    return {
        "template_key": key,
        "schema_digest": digest_of_schema(document),
        "errors": errors_in(document, data),
    }


def unjudged(document: dict[str, Any], key: str = f"{FAMILY}/v1") -> dict[str, Any]:
    """The details of data that is to be judged by a schema."""
    return {"template_key": key, "schema_digest": digest_of_schema(document)}


async def written(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows each table has that composing, refusing and trying leave something in."""
    return {
        table: await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}")
        for table in (
            "iu_piece_collection",
            "iu_auto_instantiate_event_log",
            "event_outbox",
            "iu_command_record",
            "iu_template_counter",
        )
    }


async def test_data_that_satisfies_the_schema_composes(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    item = judged(Item(template.key, data=RIGHT), NAMED)
    answer = await compose_one(app_conn, item)
    assert (answer["status"], answer["details"]) == ("ok", {})
    again = await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4()))
    assert again == answer | {"status": "idempotent_replay"}


async def test_data_that_does_not_is_refused_recorded_and_consumes_no_key(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = judged(Item(template.key, data=WRONG, suffix="ada"), NAMED)
    answer = await compose_one(app_conn, item)
    assert (answer["status"], answer["details"]) == ("payload_invalid", asked(NAMED))
    record = await one_row(owner, "SELECT outcome, code, details FROM iu_core.iu_command_record")
    assert tuple(record) == (
        "refused",
        "payload_invalid",
        asked(NAMED) | {"event_id": str(item.event_id), "template": template.key, "suffix": "ada"},
    )
    right = judged(dataclasses.replace(item, data=RIGHT, data_errors=None), NAMED)
    assert (await compose_one(app_conn, right))["status"] == "ok"


@pytest.mark.parametrize("emit_mode", ["live", "dry_run"])
@pytest.mark.parametrize("judged_by", [None, DATED, LENIENT])
async def test_of_data_that_was_not_judged_by_this_schema_nothing_is_decided(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
    judged_by: dict[str, Any] | None,
    emit_mode: str,
) -> None:
    """Whatever was found by another schema: that it is right, or that it is wrong."""
    before = await written(owner)
    item = Item(template.key, data=RIGHT, emit_mode=emit_mode)
    answer = await compose_one(app_conn, item if judged_by is None else judged(item, judged_by))
    assert (answer["status"], answer["would_be"]) == ("data_unjudged", None)
    assert answer["details"] == unjudged(NAMED)
    assert await written(owner) == before


@pytest.mark.parametrize("data", [None, "{}"])
@pytest.mark.parametrize("judged_by", [None, DATED])
async def test_no_data_needs_no_judge(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
    data: str | None,
    judged_by: dict[str, Any] | None,
) -> None:
    item = Item(template.key, data=data)
    if judged_by is not None:
        item = dataclasses.replace(item, schema_digest=digest_of_schema(judged_by))
    answer = await compose_one(app_conn, item)
    assert (answer["status"], answer["details"]) == ("payload_invalid", asked(NAMED, data="{}"))
    await ask_for(owner, template, LENIENT)
    assert (await compose_one(app_conn, item))["status"] == "ok"


async def test_the_contracts_function_which_has_no_data_is_judged_too(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    async def status() -> dict[str, Any]:
        answer: dict[str, Any] = await app_conn.fetchval(
            "SELECT iu_core.fn_iu_auto_instantiate_from_event($1, 't', $2, 's', 'a', 'live', 'r')",
            uuid4(),
            template.collection_id,
        )
        return answer

    answer = await status()
    assert answer["status"] == "payload_invalid"
    assert answer["errors"] == errors_in(NAMED, "{}")
    await ask_for(owner, template, LENIENT)
    assert (await status())["status"] == "ok"


async def test_a_template_that_asks_for_nothing_takes_whatever_was_found(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:status-report")
    item = judged(Item(other.key, data=WRONG), NAMED)
    assert item.data_errors is not None
    assert (await compose_one(app_conn, item))["status"] == "ok"


async def test_data_is_checked_last(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Of an item with wrong data everything else that is wrong is told first."""
    plain = uuid4()
    await owner.execute(
        """INSERT INTO iu_core.iu_piece_collection
                  (collection_id, created_at, collection_key, composition_digest)
           VALUES ($1, now(), 'plain', $2)""",
        plain,
        template.composition_digest,
    )

    async def status(**members: Any) -> str:
        item = judged(Item(**{"template": template.key, "data": WRONG, **members}), NAMED)
        return str((await compose_one(app_conn, item))["status"])

    assert await status(event_id=None) == "invalid_input"
    assert await status(emit_mode="shadow") == "invalid_emit_mode"
    await close_gates(owner)
    assert await status() == "live_gate_closed"
    assert await status(emit_mode="dry_run") == "composer_gate_closed"
    await open_gates(owner)
    assert await status(template=str(uuid4())) == "template_collection_not_found"
    assert await status(template=str(plain)) == "template_not_marked"
    assert await status() == "payload_invalid"
    await ask_for(owner, await make_template(owner, version=2), NAMED)
    assert await status(require_current=True) == "template_superseded"
    assert await status() == "payload_invalid"
    await owner.execute(
        """UPDATE iu_core.iu_collection_template_version SET status = 'withdrawn'
            WHERE template_collection_id = $1""",
        template.collection_id,
    )
    assert await status() == "template_withdrawn"


@pytest.mark.parametrize("data", [WRONG, RIGHT, None])
async def test_a_known_key_is_told_before_its_data_is_looked_at(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, data: str | None
) -> None:
    """Replay, conflict and rolled back, whether the data was judged or not, wrong or right."""
    before = await make_template(owner, "tpl:file:status-report")
    item = Item(before.key, data=data)
    await compose_one(app_conn, item)
    await ask_for(owner, before, NAMED)
    again = dataclasses.replace(item, request_id=uuid4())
    for known in (again, judged(again, NAMED)):
        assert (await compose_one(app_conn, known))["status"] == "idempotent_replay"
        other = dataclasses.replace(known, data='{"name":8}')
        assert (await compose_one(app_conn, other))["status"] == "idempotency_conflict"
    await by_actor(app_conn, "hr-bot")
    assert (await compose_one(app_conn, again))["status"] == "rolled_back"


async def test_neighbours_are_untouched_each_with_its_own_verdict(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    free = await make_template(owner, "tpl:file:status-report")
    items = [
        judged(Item(template.key, data=RIGHT), NAMED),
        Item(free.key, data=WRONG),
        judged(Item(template.key, data=WRONG), NAMED),
        judged(Item(template.key, data=RIGHT), DATED),
        Item(template.key),
        Item(template.key, event_id=None),
        judged(Item(template.key, data=WRONG, emit_mode="dry_run"), NAMED),
        judged(Item(template.key, data=RIGHT, emit_mode="dry_run"), NAMED),
        Item(template.key, data=RIGHT, emit_mode="dry_run"),
    ]
    answers = await compose(app_conn, *items)
    assert [(answer["status"], answer["would_be"]) for answer in answers] == [
        ("ok", None),
        ("ok", None),
        ("payload_invalid", None),
        ("data_unjudged", None),
        ("payload_invalid", None),
        ("invalid_input", None),
        ("payload_invalid", "refused"),
        ("ok", "composed"),
        ("data_unjudged", None),
    ]
    assert [answer["details"] for answer in answers[:5]] == [
        {},
        {},
        asked(NAMED),
        unjudged(NAMED),
        asked(NAMED, data="{}"),
    ]
    records = await owner.fetch(
        "SELECT outcome, code FROM iu_core.iu_command_record WHERE outcome <> 'done'"
        " ORDER BY outcome, code"
    )
    assert [tuple(record) for record in records] == [
        ("dry_run", "composed"),
        ("dry_run", "payload_invalid"),
        ("refused", "invalid_input"),
        ("refused", "payload_invalid"),
        ("refused", "payload_invalid"),
    ]
    counters = await owner.fetch(
        """SELECT emit_mode, sum(instance_count) FROM iu_core.iu_template_counter
            WHERE template_collection_id = $1 GROUP BY 1 ORDER BY 1""",
        template.collection_id,
    )
    assert [tuple(counter) for counter in counters] == [("dry_run", 2), ("live", 1)]


async def test_an_atomic_call_with_wrong_data_lists_it_and_keeps_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    right = judged(Item(template.key, data=RIGHT), NAMED)
    wrong = judged(Item(template.key, data=WRONG), NAMED)
    atomic = "fn_iu_auto_instantiate_atomic"
    before = await written(owner)
    answers = await compose(app_conn, right, wrong, function=atomic)
    assert [answer["status"] for answer in answers] == ["ok", "payload_invalid"]
    assert await written(owner) == before | {"iu_command_record": 1}
    details = await owner.fetchval("SELECT details FROM iu_core.iu_command_record")
    assert details["items"] == [{"ordinal": 2, "code": "payload_invalid"}]


async def test_an_atomic_call_with_unjudged_data_is_no_refusal_whatever_else_is_wrong_with_it(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    right = judged(Item(template.key, data=RIGHT), NAMED)
    before = await written(owner)
    answers = await compose(
        app_conn,
        right,
        Item("tpl:no:such"),
        Item(template.key, data=RIGHT),
        function="fn_iu_auto_instantiate_atomic",
    )
    assert [answer["status"] for answer in answers] == [
        "ok",
        "template_collection_not_found",
        "data_unjudged",
    ]
    assert await written(owner) == before


async def test_what_is_refused_for_its_data_pays_no_lease(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    await open_gates(owner, "auto_instantiate_enabled")
    await lease(app_conn, COMPOSER, uses=1)
    items = [
        judged(Item(template.key, data=WRONG), NAMED),
        Item(template.key, data=RIGHT),
        judged(Item(template.key, data=RIGHT), NAMED),
        judged(Item(template.key, data=RIGHT), NAMED),
    ]
    answers = await compose(app_conn, *items)
    assert [answer["status"] for answer in answers] == [
        "payload_invalid",
        "data_unjudged",
        "ok",
        "composer_gate_closed",
    ]


async def test_the_services_own_retry_is_not_judged_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Not even beside others that are, and when its family asks for something else meanwhile."""
    item = judged(Item(template.family, data=RIGHT), NAMED)
    first = await compose_one(app_conn, item)
    await ask_for(owner, await make_template(owner, version=2), DATED)
    again, other = await compose(app_conn, item, Item(template.family, data=RIGHT))
    assert again == first
    assert other["status"] == "data_unjudged"


@pytest.fixture
async def authored(owner: asyncpg.Connection, second: asyncpg.Connection) -> None:
    """tpl:wf:onboarding/v1, made by an author, which asks for a name; all gates are open."""
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")
    assert await publish_asking(second, NAMED) == f"{FAMILY}/v1"


async def while_the_next_is_published(
    observer: asyncpg.Connection,
    composer: asyncpg.Connection,
    author: asyncpg.Connection,
    item: Item,
) -> dict[str, Any]:
    """The answer of an item that waits for v2, which asks for a date and is published meanwhile."""
    transaction = author.transaction()
    await transaction.start()
    assert await publish_asking(author, DATED) == f"{FAMILY}/v2"
    async with racing(observer, composer, compose_one(composer, item)) as late:
        await late.blocked(by=author)
        await transaction.commit()
        return await late.result()


@pytest.mark.usefixtures("authored")
@pytest.mark.parametrize("guarded", [True, False])
async def test_data_is_judged_by_the_version_that_was_published_meanwhile(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(
            owner, "fn_iu_compose_verdicts", "v_kind.schema_digest := v_found.schema_digest;"
        )
    item = judged(Item(FAMILY, data=RIGHT), NAMED)
    answer = await while_the_next_is_published(observer, app_conn, second, item)
    if guarded:
        assert answer["status"] == "data_unjudged"
        assert answer["details"] == unjudged(DATED, f"{FAMILY}/v2")
        assert not await owner.fetchval("SELECT count(*) FROM iu_core.event_outbox")
        again = await compose_one(app_conn, judged(item, DATED))
        assert again["status"] == "payload_invalid"
    else:
        assert (answer["status"], answer["template_key"]) == ("ok", f"{FAMILY}/v2")


@pytest.mark.usefixtures("authored")
async def test_data_that_was_judged_by_the_next_version_already_is_decided_by_it(
    app_conn: asyncpg.Connection, second: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    item = judged(Item(FAMILY, data=RIGHT), DATED)
    answer = await while_the_next_is_published(observer, app_conn, second, item)
    assert answer["status"] == "payload_invalid"
    assert answer["details"] == asked(DATED, f"{FAMILY}/v2", RIGHT)


async def test_without_the_comparison_of_schemas_wrong_data_is_composed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """The proof that the comparison is what asks for another judge."""
    await take_out(
        owner,
        "fn_iu_compose_data",
        "OR (p_schema_digests[i.ordinal] = i.schema_digest) IS NOT TRUE",
        "",
    )
    item = judged(Item(template.key, data=WRONG), DATED | {"required": []})
    assert item.data_errors is None
    assert (await compose_one(app_conn, item))["status"] == "ok"
