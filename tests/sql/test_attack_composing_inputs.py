"""Hostile arguments straight to the composing functions, as the service's role."""

import dataclasses
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose, compose_one
from tests.support.gates import COMPOSER, LIVE, close
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

ARRAYS = (
    "event_ids",
    "event_types",
    "templates",
    "suffixes",
    "actors",
    "emit_modes",
    "reasons",
    "data",
    "require_current",
    "allowed_actors",
    "principals",
    "request_ids",
)


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1, current."""
    return await make_template(owner)


async def instances(owner: asyncpg.Connection) -> int:
    """How many instance collections there are."""
    count: int = await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_piece_collection WHERE is_instance"
    )
    return count


async def findings(connection: asyncpg.Connection) -> dict[str, int]:
    """What the integrity check finds, by kind."""
    answer = await connection.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    counts: dict[str, int] = answer["counts"]
    return counts


async def call(
    connection: asyncpg.Connection, arguments: dict[str, Any], *, window: bool | None = False
) -> list[dict[str, Any]]:
    """fn_iu_auto_instantiate_many with its arrays as they are given."""
    rows = await connection.fetch(
        "SELECT * FROM iu_core.fn_iu_auto_instantiate_many"
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL, $13)",
        *(arguments[name] for name in ARRAYS),
        window,
    )
    return [dict(row) for row in rows]


def arrays(template: Template, items: int) -> dict[str, Any]:
    """The arrays of a call that is all right."""
    return {
        "event_ids": [uuid4() for _ in range(items)],
        "event_types": ["hr.employee.hired"] * items,
        "templates": [template.key] * items,
        "suffixes": [""] * items,
        "actors": ["hr-bot"] * items,
        "emit_modes": ["live"] * items,
        "reasons": ["test"] * items,
        "data": [None] * items,
        "require_current": [False] * items,
        "allowed_actors": [None] * items,
        "principals": ["test"] * items,
        "request_ids": [uuid4() for _ in range(items)],
    }


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_window_that_is_null_is_none(
    sealed: bool, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """NULL is neither true nor false, and must not slip through between the two."""
    await close(app_conn, COMPOSER, LIVE, seal=sealed)

    (answer,) = await call(app_conn, arrays(template, 1), window=None)

    assert answer["status"] == "live_gate_closed"
    assert await instances(owner) == 0


@pytest.mark.parametrize("length", [None, 0, 1])
@pytest.mark.parametrize("name", [(name,) for name in ARRAYS] + [("reasons", "data")])
async def test_arrays_of_unequal_length_leave_nothing_half_written(
    name: tuple[str, ...],
    length: int | None,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
) -> None:
    """What is missing at the end of an array is NULL: a default, or refused; never a gap."""
    await open_gates(owner)
    given = arrays(template, 2)
    short = {each: None if length is None else given[each][:length] for each in name}

    answers = await call(app_conn, given | short)

    assert [answer["ordinal"] for answer in answers] == [1, 2]
    composed = [answer for answer in answers if answer["status"] == "ok"]
    assert all(answer["composed_at"] is not None for answer in composed)
    assert await findings(app_conn) == {}
    for table in ("iu_auto_instantiate_event_log", "event_outbox"):
        assert await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}") == len(composed)


async def test_a_family_s_id_is_no_reference_to_its_current_version(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """It is half of the key of what was asked for by family, and no collection."""
    await open_gates(owner)
    by_family = Item(template.family)
    await compose_one(app_conn, by_family)
    by_id = dataclasses.replace(
        by_family, template=str(template.family_id), data='{"other":1}', request_id=uuid4()
    )

    answer = await compose_one(app_conn, by_id)

    assert answer["status"] == "template_collection_not_found"
    assert answer["instance_collection_id"] is None


@pytest.mark.parametrize("emit_mode", ["live", "dry_run"])
async def test_an_id_of_nothing_has_no_key(
    emit_mode: str, owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gates(owner)
    unknown = uuid4()

    answer = await compose_one(app_conn, Item(str(unknown), emit_mode=emit_mode))

    assert answer["status"] == "template_collection_not_found"
    assert answer["instance_collection_id"] is None
    assert answer["idempotency_key"] is None
    assert answer["template_collection_id"] is None
    record = await one_row(owner, "SELECT * FROM iu_core.iu_command_record")
    assert record["template_collection_id"] is None
    assert record["details"]["template"] == str(unknown)
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_template_counter") == 0


async def test_a_storm_at_a_closed_gate_is_one_row_whatever_it_asks_for(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    """Ids that mean nothing are not templates: each of its own must not be a row of its own."""
    await compose(app_conn, *(Item(str(uuid4())) for _ in range(100)))

    records = await owner.fetch("SELECT code, occurrences FROM iu_core.iu_command_record")

    assert [tuple(record) for record in records] == [("live_gate_closed", 100)]


async def test_an_actor_that_reads_like_a_template_and_an_actor_is_counted_by_itself(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """`<template>:hr-bot` is an actor's tag too."""
    other = f"{template.collection_id}:hr-bot"
    await compose(app_conn, Item(template.key), Item("tpl:no:such", actor=other))

    records = await owner.fetch(
        """SELECT actor, template_collection_id, occurrences
             FROM iu_core.iu_command_record ORDER BY actor DESC"""
    )
    assert [tuple(record) for record in records] == [
        ("hr-bot", template.collection_id, 1),
        (other, None, 1),
    ]


@pytest.mark.parametrize(
    "reference",
    ["TPL:wf:onboarding", "tpl:wf:Onboarding/v1", "tpl:wf:onboarding/V1", "tpl:wf:ſtatus"],
)
async def test_a_reference_is_in_lower_case(
    reference: str, app_conn: asyncpg.Connection, template: Template
) -> None:
    """The grammar is told before anything is looked up; only UUIDs have two cases."""
    assert (await compose_one(app_conn, Item(reference)))["status"] == "invalid_input"


async def test_a_uuid_in_upper_case_is_the_same_reference(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner)
    item = Item(str(template.collection_id))
    first = await compose_one(app_conn, item)
    shouted = dataclasses.replace(item, template=item.template.upper(), request_id=uuid4())
    assert await compose_one(app_conn, shouted) == first | {"status": "idempotent_replay"}


async def test_families_that_do_not_exist_are_not_locked(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    """Anybody can name any number of them, and each would be an entry of the lock table."""
    await open_gates(owner)
    async with app_conn.transaction():
        answers = await compose(app_conn, *(Item(f"tpl:no:such-{at}") for at in range(5000)))
        locks = await owner.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1",
            app_conn.get_server_pid(),
        )
    assert {answer["status"] for answer in answers} == {"template_collection_not_found"}
    assert locks < 10


@pytest.mark.parametrize("emit_mode", ["live", "dry_run"])
async def test_more_than_256_families_in_one_transaction_are_too_many(
    emit_mode: str, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner)
    await owner.execute(
        """INSERT INTO iu_core.iu_collection_template_registry
           SELECT gen_random_uuid(), 'tpl:many:f-' || i || '/v1', $1, 5, 'fixture', now()
             FROM generate_series(1, 257) AS i""",
        template.composition_digest,
    )
    items = [Item(f"tpl:many:f-{at}/v1", emit_mode=emit_mode) for at in range(1, 258)]
    answers = await compose(app_conn, *items[:256])
    assert {answer["status"] for answer in answers} == {"ok"}
    again = [dataclasses.replace(item, event_id=uuid4()) for item in items]
    with pytest.raises(asyncpg.PostgresError) as error:
        await compose(app_conn, *again)
    assert error.value.sqlstate == "PF413"


async def test_a_bulk_that_meets_a_closed_gate_and_more_is_recorded_with_all_of_it(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """What is only counted at a closed gate must not swallow the other items' refusals."""
    await open_gates(owner)
    known = Item(template.key)
    await compose_one(app_conn, known)
    await close(app_conn, COMPOSER, LIVE)
    other = dataclasses.replace(known, data='{"other":1}', request_id=uuid4())

    answers = await compose(
        app_conn, Item(template.key), other, function="fn_iu_auto_instantiate_atomic"
    )

    assert [answer["status"] for answer in answers] == ["live_gate_closed", "idempotency_conflict"]
    record = await one_row(
        owner, "SELECT code, details FROM iu_core.iu_command_record WHERE outcome = 'refused'"
    )
    assert record["code"] == "idempotency_conflict"
    assert record["details"]["items"] == [
        {"ordinal": 1, "code": "live_gate_closed"},
        {"ordinal": 2, "code": "idempotency_conflict"},
    ]
