"""Authors against each other and against composers, interleaved by hand.

Each race runs as it is, and once more with its guard taken out of the function: then what the
guard prevents must be seen to happen.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.support.authoring import (
    AUTHORING,
    call,
    chain_of,
    content,
    create_piece,
    create_template,
    create_version,
    delta,
    row_counts,
)
from tests.support.composing import Item, compose_one
from tests.support.databases import Connect
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.templates import open_gates

FAMILY = "tpl:wf:onboarding"
FAMILY_LOCK = "PERFORM iu_core.fn_iu_lock('family', ARRAY[p_family_key], false);"

guarded_or_not = pytest.mark.parametrize("guarded", [True, False])


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring and composing, open."""
    await open_gates(owner)
    await open_gates(owner, *AUTHORING)


@asynccontextmanager
async def begun(connection: asyncpg.Connection) -> AsyncIterator[Any]:
    """A transaction that the test ends; rolled back where the test fails before."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield transaction
    except BaseException:
        await connection.execute("ROLLBACK")
        raise


async def revise(connection: asyncpg.Connection, unit_id: str, body: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("media_type", "title", "axes", "reason"))
    return await call(connection, "fn_iu_piece_revise", unit_id=unit_id, body=body, **nothing)


async def retire(connection: asyncpg.Connection, unit_id: str) -> dict[str, Any]:
    return await call(
        connection, "fn_iu_unit_lifecycle", unit_id=unit_id, to_life="retired", reason=None
    )


async def withdraw(connection: asyncpg.Connection, ref: str) -> dict[str, Any]:
    return await call(
        connection, "fn_iu_template_withdraw", ref=ref, expected_revisions=None, reason="wrong"
    )


async def insert(
    connection: asyncpg.Connection, piece: dict[str, Any], **more: Any
) -> dict[str, Any]:
    edits = [{"op": "insert", "position": 1, "piece": piece}]
    return await create_version(connection, FAMILY, edits=edits, **more)


@guarded_or_not
async def test_the_same_content_at_the_same_time_becomes_one_unit(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_unit_claim", "ON CONFLICT (content_digest) DO NOTHING", "")
    async with begun(app_conn) as transaction:
        first = await create_piece(app_conn, "Welcome")
        async with racing(observer, second, create_piece(second, "Welcome")) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            if guarded:
                assert await late.result() == first | {"known": True}
            else:
                with pytest.raises(asyncpg.UniqueViolationError):
                    await late.result()
    assert await owner.fetchval("SELECT count(*) FROM iu_core.information_unit") == 1


async def test_content_whose_first_author_rolls_back_is_made_by_the_second(
    app_conn: asyncpg.Connection, second: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    async with begun(app_conn) as transaction:
        await create_piece(app_conn, "Welcome")
        async with racing(observer, second, create_piece(second, "Welcome")) as late:
            await late.blocked(by=app_conn)
            await transaction.rollback()
            assert (await late.result())["known"] is False


@guarded_or_not
async def test_a_unit_gets_one_successor(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_piece_revise", " FOR NO KEY UPDATE;", ";")
        await owner.execute("DROP INDEX iu_core.information_unit_by_predecessor")
    unit = (await create_piece(app_conn, "Welcome"))["unit_id"]
    async with begun(app_conn) as transaction:
        assert (await revise(app_conn, unit, "Hello"))["status"] == "ok"
        async with racing(observer, second, revise(second, unit, "Good day")) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            answer = await late.result()
    successors = await owner.fetchval(
        "SELECT count(*) FROM iu_core.information_unit WHERE supersedes_unit_id = $1", unit
    )
    if guarded:
        assert answer == {
            "status": "operation_state",
            "state": "superseded",
            "allowed": ["retired"],
        }
        assert successors == 1
    else:
        assert (answer["status"], successors) == ("ok", 2)


async def retired_in_use(owner: asyncpg.Connection) -> int:
    """How many pieces of current templates are retired."""
    count: int = await owner.fetchval(
        """SELECT count(*) FROM iu_core.v_iu_template AS t
             JOIN iu_core.v_iu_template_piece AS p USING (template_collection_id)
            WHERE t.status = 'current' AND p.life = 'retired'"""
    )
    return count


@pytest.mark.parametrize(
    ("function", "guard"),
    [
        (None, ""),
        ("fn_iu_units_share", " FOR SHARE;"),
        ("fn_iu_unit_lifecycle", " FOR NO KEY UPDATE;"),
    ],
)
async def test_a_unit_that_a_new_version_takes_in_is_not_retired_meanwhile(
    function: str | None,
    guard: str,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if function is not None:
        await take_out(owner, function, guard, ";")
    await create_template(app_conn, FAMILY)
    unit = (await create_piece(app_conn, "Welcome"))["unit_id"]
    async with begun(app_conn) as transaction:
        piece = {"role": "welcome", "unit_id": unit}
        assert (await insert(app_conn, piece))["status"] == "ok"
        async with racing(observer, second, retire(second, unit)) as late:
            if function != "fn_iu_units_share":
                await late.blocked(by=app_conn)
                await transaction.commit()
                answer = await late.result()
            else:
                answer = await late.result()
                await transaction.commit()
    if function is None:
        assert answer == {"status": "unit_in_use", "templates": [f"{FAMILY}/v2"]}
        assert await retired_in_use(owner) == 0
    else:
        assert answer["status"] == "ok"
        assert await retired_in_use(owner) == 1


@guarded_or_not
async def test_a_unit_that_is_being_retired_is_not_taken_in(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_units_share", " FOR SHARE;", ";")
    await create_template(app_conn, FAMILY)
    unit = (await create_piece(app_conn, "Welcome"))["unit_id"]
    piece = {"role": "welcome", "unit_id": unit}
    async with begun(app_conn) as transaction:
        assert (await retire(app_conn, unit))["status"] == "ok"
        async with racing(observer, second, insert(second, piece)) as late:
            if guarded:
                await late.blocked(by=app_conn)
                await transaction.commit()
                assert await late.result() == {"status": "unit_not_active", "units": [unit]}
            else:
                assert (await late.result())["status"] == "ok"
                await transaction.commit()
    assert await retired_in_use(owner) == (0 if guarded else 1)


@guarded_or_not
async def test_of_two_next_versions_the_second_finds_the_first(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_template_version_work", FAMILY_LOCK)
    await create_template(app_conn, FAMILY)
    async with begun(app_conn) as transaction:
        await insert(app_conn, content("mine", "mine"), expected_revisions=[1])
        theirs = insert(second, content("theirs", "theirs"), expected_revisions=[1])
        async with racing(observer, second, theirs) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            if guarded:
                assert await late.result() == {"status": "precondition_failed", "etag": '"2"'}
            else:
                with pytest.raises(asyncpg.UniqueViolationError):
                    await late.result()
    assert list(await chain_of(owner, FAMILY)) == ["v1", "v2"]


async def test_an_author_who_asks_for_no_revision_edits_what_the_other_left(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await create_template(app_conn, FAMILY)
    async with begun(app_conn) as transaction:
        await insert(app_conn, content("mine", "mine"))
        async with racing(observer, second, insert(second, content("theirs", "theirs"))) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            assert (await late.result())["supersedes"] == f"{FAMILY}/v2"
    assert await chain_of(owner, FAMILY) == {
        "v1": ("superseded", None),
        "v2": ("superseded", "v1"),
        "v3": ("current", "v2"),
    }


@guarded_or_not
async def test_of_two_first_versions_the_second_finds_the_family_taken(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_template_create_work", FAMILY_LOCK)
    async with begun(app_conn) as transaction:
        await create_template(app_conn, FAMILY, [content("mine", "mine")])
        theirs = create_template(second, FAMILY, [content("theirs", "theirs")])
        async with racing(observer, second, theirs) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            if guarded:
                assert await late.result() == {"status": "already_exists", "key": FAMILY}
            else:
                with pytest.raises(asyncpg.UniqueViolationError):
                    await late.result()
    assert list(await chain_of(owner, FAMILY)) == ["v1"]


@guarded_or_not
async def test_a_version_that_is_being_composed_from_is_not_withdrawn(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(
            owner,
            "fn_iu_template_lock",
            "PERFORM iu_core.fn_iu_lock('family', ARRAY[v_family], false);",
        )
    await create_template(app_conn, FAMILY)
    async with begun(app_conn) as transaction:
        assert (await compose_one(app_conn, Item(FAMILY)))["status"] == "ok"
        async with racing(observer, second, withdraw(second, FAMILY)) as late:
            if guarded:
                await late.blocked(by=app_conn)
                await transaction.commit()
                answer = await late.result()
            else:
                answer = await late.result()
                await transaction.commit()
    if guarded:
        assert answer == {
            "status": "template_in_use",
            "template_key": f"{FAMILY}/v1",
            "instances": 1,
        }
    else:
        assert answer["status"] == "ok"
        assert await owner.fetchval(
            """SELECT count(*) FROM iu_core.iu_collection_template_instance_lineage
                 JOIN iu_core.v_iu_template USING (template_collection_id)
                WHERE status = 'withdrawn'"""
        )


async def test_who_composes_while_a_version_is_withdrawn_gets_its_predecessor(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    connect: Connect,
    observer: asyncpg.Connection,
) -> None:
    await create_template(app_conn, FAMILY)
    await insert(app_conn, content("wrong", "wrong"))
    third = await connect("app")
    async with begun(app_conn) as transaction:
        await withdraw(app_conn, FAMILY)
        by_family = compose_one(second, Item(FAMILY))
        by_key = compose_one(third, Item(f"{FAMILY}/v2"))
        async with (
            racing(observer, second, by_family) as first,
            racing(observer, third, by_key) as other,
        ):
            await first.blocked(by=app_conn)
            await other.blocked(by=app_conn)
            await transaction.commit()
            composed = await first.result()
            refused = await other.result()
    assert (composed["status"], composed["template_key"]) == ("ok", f"{FAMILY}/v1")
    assert refused["status"] == "template_withdrawn"


async def test_withdrawing_a_family_means_what_is_current_once_the_lock_is_held(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await create_template(app_conn, FAMILY)
    async with begun(app_conn) as transaction:
        await insert(app_conn, content("new", "new"))
        async with racing(observer, second, withdraw(second, FAMILY)) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            assert (await late.result())["current"] == f"{FAMILY}/v1"
    assert (await chain_of(owner, FAMILY))["v2"] == ("withdrawn", "v1")


async def test_content_that_becomes_a_draft_meanwhile_does_not_enter(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    before = await row_counts(owner)
    async with begun(app_conn) as transaction:
        draft = await create_piece(app_conn, "Welcome", life="draft")
        pieces = [content("Other", "other"), content("Welcome", "welcome")]
        async with racing(observer, second, create_template(second, FAMILY, pieces)) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            assert await late.result() == {
                "status": "unit_not_active",
                "units": [draft["unit_id"]],
            }
    assert delta(before, await row_counts(owner)) == {
        "information_unit": 1,
        "iu_command_record": 1,
    }


async def test_the_same_pieces_at_the_same_time_become_one_composition(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    pieces = [content("one", "one"), content("two", "two")]
    await create_template(app_conn, "tpl:wf:other", pieces[::-1])
    before = await row_counts(owner)
    async with begun(app_conn) as transaction:
        await create_template(app_conn, "tpl:wf:first", pieces)
        theirs = create_template(second, "tpl:wf:second", pieces)
        async with racing(observer, second, theirs) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            assert (await late.result())["status"] == "ok"
    changed = delta(before, await row_counts(owner))
    assert (changed["iu_composition"], changed["iu_composition_piece"]) == (1, 2)
    assert changed["iu_piece_membership"] == 4


async def test_a_collection_is_marked_once(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    made = await create_template(app_conn, FAMILY)
    collection = made["template_collection_id"]
    await owner.execute("DELETE FROM iu_core.iu_collection_template_current_log")
    await owner.execute("DELETE FROM iu_core.iu_collection_template_version")
    await owner.execute("DELETE FROM iu_core.iu_collection_template_registry")

    async def mark(connection: asyncpg.Connection, key: str) -> dict[str, Any]:
        return await call(
            connection,
            "fn_iu_template_mark",
            collection_id=collection,
            template_key=key,
            reason=None,
        )

    async with begun(app_conn) as transaction:
        assert (await mark(app_conn, "tpl:wf:one/v1"))["status"] == "ok"
        async with racing(observer, second, mark(second, "tpl:wf:two/v1")) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            assert await late.result() == {"status": "already_exists", "key": "tpl:wf:one/v1"}
    assert await owner.fetchval(
        "SELECT collection_key FROM iu_core.iu_piece_collection WHERE collection_id = $1",
        collection,
    ) == ("tpl:wf:one/v1")


async def test_closing_a_gate_waits_for_the_author_who_was_admitted(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    drain = "SELECT iu_core.fn_iu_lock('gate', ARRAY[$1], false)"
    for gate in ("iu_core.template_authoring_enabled", "iu_core.piece_write_enabled"):
        async with begun(app_conn) as transaction:
            await create_template(app_conn, f"tpl:wf:{gate[8:13]}", [content(gate, "one")])
            async with racing(observer, owner, owner.execute(drain, gate)) as closing:
                await closing.blocked(by=app_conn)
                await transaction.commit()
                await closing.result()
