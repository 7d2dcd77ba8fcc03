"""The check of everything finds nothing where nothing is wrong."""

import asyncio

import asyncpg

from tests.support.authoring import (
    AUTHORING,
    call,
    content,
    create_piece,
    create_template,
    create_version,
)
from tests.support.composing import Item, compose
from tests.support.databases import Connect
from tests.support.integrity import World, integrity
from tests.support.loose_templates import make_loose_template
from tests.support.rollback import by_actor
from tests.support.templates import open_gates


async def test_all_holds_and_the_result_is_kept_for_the_overview(
    app_conn: asyncpg.Connection, reader_conn: asyncpg.Connection, world: World
) -> None:
    answer = await integrity(app_conn)
    checked_at = answer.pop("checked_at")
    assert answer == {
        "status": "ok",
        "holds": True,
        "counts": {},
        "findings": [],
        "truncated": False,
        "examined": {
            "pieces": 11,
            "compositions": 2,
            "templates": 2,
            "instances": 2,
            "lineage": 2,
            "event_log": 2,
        },
    }
    await integrity(app_conn)
    kept = await reader_conn.fetch("SELECT * FROM iu_core.v_iu_integrity_check")
    assert [(row["holds"], row["counts"], row["examined"]) for row in kept] == [
        (True, {}, answer["examined"])
    ]
    assert kept[0]["checked_at"].isoformat() > checked_at


async def test_it_holds_after_a_rollback_and_after_composing_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World
) -> None:
    again = Item(world.v1.key, suffix="again")
    await compose(owner, again)
    await by_actor(owner, "hr-bot", release_keys=True)
    assert (await integrity(app_conn))["counts"] == {}
    await compose(owner, again)
    assert (await integrity(app_conn))["counts"] == {}


async def test_it_holds_after_each_thing_that_authors_do(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gates(owner, *AUTHORING)
    family = "tpl:wf:offboarding"
    draft = await create_piece(app_conn, "draft", life="draft", axes={"DIEU-28": "x"})
    piece = await create_piece(app_conn, "kept")
    ended = {"title": "", "description": "", "expected_revisions": None, "reason": "test"}
    for done in (
        create_template(app_conn, family),
        create_version(app_conn, family, edits=[{"op": "remove", "position": 1}]),
        call(
            app_conn,
            "fn_iu_template_withdraw",
            ref=f"{family}/v2",
            expected_revisions=None,
            reason="wrong",
        ),
        create_version(
            app_conn,
            family,
            edits=[
                {"op": "insert", "position": 1, "piece": content("new", "new")},
                {"op": "move", "position": 1, "to": 3},
            ],
        ),
        call(
            app_conn,
            "fn_iu_unit_lifecycle",
            unit_id=draft["unit_id"],
            to_life="active",
            reason="ready",
        ),
        call(
            app_conn,
            "fn_iu_piece_revise",
            unit_id=piece["unit_id"],
            **content("revised"),
            axes=None,
            reason="typo",
        ),
        call(
            app_conn,
            "fn_iu_unit_lifecycle",
            unit_id=draft["unit_id"],
            to_life="retired",
            reason="unused",
        ),
    ):
        answer = await done
        assert answer["status"] == "ok", answer
        assert (await integrity(app_conn))["counts"] == {}, answer

    loose = await make_loose_template(owner, "tpl:file:loose")
    assert (await integrity(app_conn))["counts"] == {"template_without_version": 1}
    registered = await call(app_conn, "fn_iu_template_register_version", ref=loose.key, **ended)
    assert registered["status"] == "ok"
    assert (await integrity(app_conn))["counts"] == {}


async def test_it_holds_while_instances_are_being_composed(
    owner: asyncpg.Connection, connect: Connect, world: World
) -> None:
    composer = await connect("app")

    async def compose_many() -> None:
        for _ in range(30):
            await compose(composer, *(Item(world.v1.key) for _ in range(10)))

    composing = asyncio.create_task(compose_many())
    answers = []
    while not composing.done():
        answers.append(await integrity(owner))
    await composing
    assert [answer["counts"] for answer in answers] == [{}] * len(answers)
    sizes = {answer["examined"]["instances"] for answer in answers}
    assert len(sizes) > 2, "the checks saw the instances come in"
