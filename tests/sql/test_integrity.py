"""What was tampered with is named: by the check of everything, and by that of one instance."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.authoring import (
    AUTHORING,
    call,
    content,
    create_piece,
    create_template,
    create_version,
)
from tests.support.composing import Item, compose, identity
from tests.support.databases import Connect
from tests.support.loose_templates import make_loose_template
from tests.support.rollback import by_actor, edit, many
from tests.support.templates import Template, make_template, open_gates

DATA = '{"name":"Ada"}'


@dataclass(frozen=True, slots=True)
class World:
    """Two versions of a family, and three instances of the first one."""

    v1: Template
    v2: Template
    instance: UUID
    neighbour: UUID


@pytest.fixture
async def world(owner: asyncpg.Connection) -> World:
    """What is tampered with."""
    await open_gates(owner)
    v1 = await make_template(owner)
    v2 = await make_template(owner, version=2, pieces=6)
    first, second, _ = await compose(
        owner,
        Item(v1.key, suffix="a", data=DATA),
        Item(v1.key, suffix="b"),
        Item(v1.key, suffix="c", emit_mode="dry_run"),
    )
    return World(v1, v2, first["instance_collection_id"], second["instance_collection_id"])


async def integrity(connection: asyncpg.Connection) -> dict[str, Any]:
    """The check of everything."""
    answer: dict[str, Any] = await connection.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    return answer


async def verify(connection: asyncpg.Connection, instance: UUID) -> dict[str, Any]:
    """The check of one instance."""
    answer: dict[str, Any] = await connection.fetchval(
        "SELECT iu_core.fn_iu_verify_instance($1)", instance
    )
    return answer


async def tamper(owner: asyncpg.Connection, world: World, statement: str) -> None:
    """Run a statement in which {names} stand for what is in the world."""
    names = {
        "instance": world.instance,
        "v1": world.v1.collection_id,
        "v2": world.v2.collection_id,
        "family": world.v1.family_id,
        "digest1": world.v1.composition_digest,
        "digest2": world.v2.composition_digest,
    }
    await owner.execute(re.sub(r"\{(\w+)\}", lambda name: f"'{names[name[1]]}'", statement))


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


async def test_an_instance_holds_down_to_its_content(
    app_conn: asyncpg.Connection, world: World
) -> None:
    digest = world.v1.composition_digest
    data_digest = hashlib.sha256(DATA.encode()).hexdigest()
    assert await verify(app_conn, world.instance) == {
        "status": "ok",
        "instance_collection_id": str(world.instance),
        "actor": "hr-bot",
        "holds": True,
        "pieces": 5,
        "composition_digest": digest,
        "recomputed_digest": digest,
        "template_digest": digest,
        "lineage_digest": digest,
        "data_digest": data_digest,
        "recomputed_data_digest": data_digest,
        "findings": [],
    }


async def test_what_is_no_instance_is_not_verified(
    app_conn: asyncpg.Connection, world: World
) -> None:
    for unknown in (uuid4(), world.v1.collection_id):
        assert await verify(app_conn, unknown) == {"status": "instance_not_found"}


OF_ONE_INSTANCE = {
    "another composition": (
        """UPDATE iu_core.iu_piece_collection SET composition_digest = {digest2}
            WHERE collection_id = {instance}""",
        {"instance_diverges": 1},
        {"counter_mismatch": 1},
    ),
    "no lineage": (
        """DELETE FROM iu_core.iu_collection_template_instance_lineage
            WHERE instance_collection_id = {instance}""",
        {"orphan_instance": 1},
        {"counter_mismatch": 1},
    ),
    "no instance": (
        """UPDATE iu_core.iu_piece_collection SET is_instance = false
            WHERE collection_id = {instance}""",
        None,
        {"lineage_without_instance": 1},
    ),
    "another digest at composing": (
        """UPDATE iu_core.iu_collection_template_instance_lineage
              SET composition_digest = {digest2} WHERE instance_collection_id = {instance}""",
        {"lineage_digest_mismatch": 1},
        {},
    ),
    "no event log": (
        """DELETE FROM iu_core.iu_auto_instantiate_event_log
            WHERE instance_collection_id = {instance}""",
        {"event_log_missing": 1},
        {"counter_mismatch": 2},  # one live too few, one of no event too many
    ),
    "another template in the log": (
        """UPDATE iu_core.iu_auto_instantiate_event_log SET template_collection_id = {v2}
            WHERE instance_collection_id = {instance}""",
        {"event_log_mismatch": 1},
        {},
    ),
    "another time in the log": (
        """UPDATE iu_core.iu_auto_instantiate_event_log
              SET composed_at = composed_at - interval '1 day'
            WHERE instance_collection_id = {instance}""",
        {"event_log_mismatch": 1},
        {},
    ),
    "another event": (
        """UPDATE iu_core.iu_auto_instantiate_event_log SET event_id = gen_random_uuid()
            WHERE instance_collection_id = {instance}""",
        {"identity_mismatch": 1},
        {},
    ),
    "another suffix": (
        """UPDATE iu_core.iu_auto_instantiate_event_log SET suffix = 'z'
            WHERE instance_collection_id = {instance}""",
        {"identity_mismatch": 1, "label_mismatch": 1},
        {},
    ),
    "another reference": (
        """UPDATE iu_core.iu_auto_instantiate_event_log SET reference_id = {v2}
            WHERE instance_collection_id = {instance}""",
        {"identity_mismatch": 1, "reference_mismatch": 1},
        {},
    ),
    "other data": (
        """UPDATE iu_core.iu_auto_instantiate_event_log SET data = '{"name":"Bob"}'
            WHERE instance_collection_id = {instance}""",
        {"data_digest_mismatch": 1},
        {},
    ),
    "the same data, written otherwise": (
        """UPDATE iu_core.iu_auto_instantiate_event_log SET data = '{ "name": "Ada" }'
            WHERE instance_collection_id = {instance}""",
        {"data_digest_mismatch": 1},
        {},
    ),
    "a tombstone beside it": (
        """INSERT INTO iu_core.iu_instance_tombstone
                  (instance_collection_id, rollback_operation_id, event_id, reference_id,
                   template_collection_id, composed_at, rolled_back_at, event_type, suffix, actor,
                   data_digest, composition_digest, rolled_back_by, reason)
           SELECT instance_collection_id, gen_random_uuid(), event_id, reference_id,
                  template_collection_id, composed_at, now(), event_type, suffix, actor,
                  data_digest, {digest1}, 'x', ''
             FROM iu_core.iu_auto_instantiate_event_log
            WHERE instance_collection_id = {instance}""",
        {"instance_and_tombstone": 1},
        {},
    ),
}


@pytest.mark.parametrize(
    ("statement", "found", "besides"), OF_ONE_INSTANCE.values(), ids=OF_ONE_INSTANCE
)
async def test_an_instance_that_was_tampered_with_is_named(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    world: World,
    statement: str,
    found: dict[str, int] | None,
    besides: dict[str, int],
) -> None:
    await tamper(owner, world, statement)

    everything = await integrity(app_conn)
    assert everything["holds"] is False
    assert everything["counts"] == (found or {}) | besides

    alone = await verify(app_conn, world.instance)
    if found is None:
        assert alone == {"status": "instance_not_found"}
    else:
        assert alone["holds"] is False
        assert {finding["kind"] for finding in alone["findings"]} == found.keys()
        assert {finding["subject"] for finding in alone["findings"]} == {
            f"instance {world.instance}"
        }
        listed = [each for each in everything["findings"] if each["kind"] in found]
        assert listed == alone["findings"]
    assert (await verify(app_conn, world.neighbour))["holds"] is True


async def test_a_finding_says_what_was_expected_and_what_is_there(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World
) -> None:
    await edit(owner, world.instance, world.v2)
    assert (await integrity(app_conn))["findings"] == [
        {
            "kind": "counter_mismatch",
            "subject": f"template {world.v1.key} live diverging",
            "expected": "1",
            "actual": "0",
        },
        {
            "kind": "instance_diverges",
            "subject": f"instance {world.instance}",
            "expected": world.v1.composition_digest,
            "actual": world.v2.composition_digest,
        },
    ]
    alone = await verify(app_conn, world.instance)
    assert alone["composition_digest"] == alone["recomputed_digest"] == world.v2.composition_digest
    assert alone["template_digest"] == world.v1.composition_digest


PIECE = (
    "(SELECT unit_id FROM iu_core.iu_composition_piece"
    " WHERE composition_digest = {digest1} AND position = 2)"
)

OF_PIECES = {
    "another body": (
        f"UPDATE iu_core.information_unit SET body = body || '!' WHERE unit_id = {PIECE}",
        {"piece_digest_mismatch": 1},
    ),
    "another title": (
        f"UPDATE iu_core.information_unit SET title = title || '!' WHERE unit_id = {PIECE}",
        {"piece_digest_mismatch": 1},
    ),
    "another body and its digest": (
        f"""UPDATE iu_core.information_unit
               SET body = body || '!',
                   content_digest = iu_core.fn_iu_content_digest(media_type, title, body || '!')
             WHERE unit_id = {PIECE}""",
        {"composition_digest_mismatch": 1},
    ),
    "another role": (
        """UPDATE iu_core.iu_composition_piece SET role = 'other'
            WHERE composition_digest = {digest1} AND position = 2""",
        {"composition_digest_mismatch": 1},
    ),
    "a piece less": (
        """DELETE FROM iu_core.iu_composition_piece
            WHERE composition_digest = {digest1} AND position = 5""",
        {"composition_digest_mismatch": 1, "piece_count_mismatch": 1},
    ),
    "no pieces": (
        "DELETE FROM iu_core.iu_composition_piece WHERE composition_digest = {digest1}",
        {"composition_digest_mismatch": 1, "piece_count_mismatch": 1},
    ),
    "a gap": (
        """UPDATE iu_core.iu_composition_piece SET position = 9
            WHERE composition_digest = {digest1} AND position = 5""",
        {"position_mismatch": 1},
    ),
    "an axis that no piece carries": (
        "INSERT INTO iu_core.iu_composition_axis VALUES ({digest1}, 'DIEU-28', 1, ARRAY['x'])",
        {"axis_mismatch": 1},
    ),
    "an axis that was not rolled up": (
        f"INSERT INTO iu_core.iu_unit_axis VALUES ({PIECE}, 'DIEU-28', 'x')",
        {"axis_mismatch": 1},
    ),
    "a vector of other content": (
        f"""INSERT INTO iu_core.iu_vector_sync_point (unit_id, content_digest, synced_at)
            VALUES ({PIECE}, 'other', now())""",
        {"vector_sync_mismatch": 1},
    ),
    "a life that no step led to": (
        f"""INSERT INTO iu_core.iu_lifecycle_log
                   (unit_id, from_life, to_life, actor, occurred_at)
            VALUES ({PIECE}, 'draft', 'active', 'x', now()),
                   ({PIECE}, 'active', 'retired', 'x', now())""",
        {"lifecycle_mismatch": 1},
    ),
}


@pytest.mark.parametrize(("statement", "found"), OF_PIECES.values(), ids=OF_PIECES)
async def test_pieces_that_were_tampered_with_are_named_for_every_instance_of_them(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    world: World,
    statement: str,
    found: dict[str, int],
) -> None:
    await tamper(owner, world, statement)
    everything = await integrity(app_conn)
    assert everything["holds"] is False
    assert everything["counts"] == found
    for instance in (world.instance, world.neighbour):
        alone = await verify(app_conn, instance)
        assert alone["holds"] is False
        assert alone["findings"] == everything["findings"]


async def test_an_altered_body_changes_the_digest_that_is_computed_from_the_content(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World
) -> None:
    await tamper(owner, world, OF_PIECES["another body"][0])
    alone = await verify(app_conn, world.instance)
    assert alone["composition_digest"] == world.v1.composition_digest
    assert alone["recomputed_digest"] != world.v1.composition_digest


OF_TEMPLATES = {
    "a template's collection with other pieces": (
        """UPDATE iu_core.iu_piece_collection SET composition_digest = {digest2}
            WHERE collection_id = {v1}""",
        {"template_composition_changed": 1},
    ),
    "a template's collection that is gone": (
        "DELETE FROM iu_core.iu_piece_collection WHERE collection_id = {v2}",
        {"template_collection_missing": 1},
    ),
    "a template's collection of another name": (
        """UPDATE iu_core.iu_piece_collection SET collection_key = 'x'
            WHERE collection_id = {v2}""",
        {"template_key_mismatch": 1},
    ),
    "a version of another number": (
        """UPDATE iu_core.iu_collection_template_version SET version_number = 3
            WHERE template_collection_id = {v2}""",
        {"template_key_mismatch": 1},
    ),
    "a version with other pieces": (
        """UPDATE iu_core.iu_collection_template_version SET composition_digest = {digest1}
            WHERE template_collection_id = {v2}""",
        {"template_version_mismatch": 1},
    ),
    "a registry with another digest": (
        """UPDATE iu_core.iu_collection_template_registry SET composition_digest = {digest1}
            WHERE template_collection_id = {v2}""",
        {
            "template_composition_changed": 1,
            "template_piece_count_mismatch": 1,
            "template_version_mismatch": 1,
        },
    ),
    "a chain that runs backwards": (
        """UPDATE iu_core.iu_collection_template_version SET supersedes_collection_id = {v2}
            WHERE template_collection_id = {v1}""",
        {"version_chain_mismatch": 1},
    ),
    "a chain that begins anew": (
        """UPDATE iu_core.iu_collection_template_version SET supersedes_collection_id = NULL
            WHERE template_collection_id = {v2}""",
        {"version_chain_mismatch": 1},
    ),
    "a withdrawn version that superseded a later one": (
        """UPDATE iu_core.iu_collection_template_version
              SET status = 'withdrawn', supersedes_collection_id = {v2}
            WHERE template_collection_id = {v1};
           UPDATE iu_core.iu_collection_template_version SET supersedes_collection_id = NULL
            WHERE template_collection_id = {v2}""",
        {"version_chain_mismatch": 1},
    ),
    "a family without a current version": (
        """UPDATE iu_core.iu_collection_template_version SET status = 'superseded'
            WHERE template_collection_id = {v2}""",
        {"family_without_current": 1, "current_log_mismatch": 1},
    ),
    "a log that says another version is current": (
        """INSERT INTO iu_core.iu_collection_template_current_log
                  (family_id, template_collection_id, current_from, actor)
           VALUES ({family}, {v1}, now(), 'x')""",
        {"current_log_mismatch": 1},
    ),
    "a counter": (
        "UPDATE iu_core.iu_template_counter SET instance_count = 7 WHERE emit_mode = 'live'",
        {"counter_mismatch": 1},
    ),
    "a counter of diverging instances": (
        "UPDATE iu_core.iu_template_counter SET diverging_count = 1 WHERE emit_mode = 'live'",
        {"counter_mismatch": 1},
    ),
    "a counter of dry runs": (
        "DELETE FROM iu_core.iu_template_counter WHERE emit_mode = 'dry_run'",
        {"counter_mismatch": 1},
    ),
    "a counter of what does not exist": (
        """INSERT INTO iu_core.iu_template_counter
           VALUES (gen_random_uuid(), gen_random_uuid(), 'live', 0, 1)""",
        {"counter_mismatch": 1},
    ),
}


@pytest.mark.parametrize(("statement", "found"), OF_TEMPLATES.values(), ids=OF_TEMPLATES)
async def test_templates_and_counters_that_were_tampered_with_are_named(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    world: World,
    statement: str,
    found: dict[str, int],
) -> None:
    await tamper(owner, world, statement)
    answer = await integrity(app_conn)
    assert answer["counts"] == found
    assert answer["holds"] is False


async def test_a_version_that_passes_another_over_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World
) -> None:
    v3 = await make_template(owner, version=3)
    assert (await integrity(app_conn))["counts"] == {}
    await owner.execute(
        """UPDATE iu_core.iu_collection_template_version SET supersedes_collection_id = $1
            WHERE template_collection_id = $2""",
        world.v1.collection_id,
        v3.collection_id,
    )
    assert (await integrity(app_conn))["findings"] == [
        {
            "kind": "version_chain_mismatch",
            "subject": f"template {v3.key}",
            "expected": str(world.v2.collection_id),
            "actual": str(world.v1.collection_id),
        }
    ]


async def test_a_template_without_a_version_is_reported_and_is_no_fault(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World
) -> None:
    await make_loose_template(owner, "tpl:file:loose")
    answer = await integrity(app_conn)
    assert (answer["holds"], answer["counts"]) == (True, {"template_without_version": 1})


async def test_a_family_whose_versions_are_all_withdrawn_needs_none_that_is_current(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World
) -> None:
    await owner.execute("UPDATE iu_core.iu_collection_template_version SET status = 'withdrawn'")
    await owner.execute(
        """INSERT INTO iu_core.iu_collection_template_current_log (family_id, current_from, actor)
           VALUES ($1, now(), 'x')""",
        world.v1.family_id,
    )
    assert (await integrity(app_conn))["counts"] == {}


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


@pytest.mark.parametrize(
    "altered",
    ["event_id = gen_random_uuid()", "reference_id = gen_random_uuid()", "suffix = 'z'"],
)
async def test_a_tombstone_that_was_altered_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World, altered: str
) -> None:
    again = Item(world.v1.key, suffix="again", actor="other-bot")
    await compose(owner, again)
    await by_actor(owner, "hr-bot")
    await by_actor(owner, "other-bot", release_keys=True)
    await compose(owner, again)
    instance = identity(again, world.v1.collection_id)
    for buried in (world.instance, instance):
        await owner.execute(
            f"UPDATE iu_core.iu_instance_tombstone SET {altered} WHERE instance_collection_id = $1",
            buried,
        )
    everything = await integrity(app_conn)
    assert everything["holds"] is False
    assert everything["counts"] == {"tombstone_identity_mismatch": 2}
    assert {finding["subject"]: finding["actual"] for finding in everything["findings"]} == {
        f"tombstone {buried}": str(buried) for buried in (world.instance, instance)
    }
    # An instance that was composed again answers for its released tombstones, too.
    alone = await verify(app_conn, instance)
    assert alone["findings"] == [
        finding
        for finding in everything["findings"]
        if finding["subject"] == f"tombstone {instance}"
    ]


async def test_findings_are_bounded_but_counts_are_not_and_no_kind_is_crowded_out(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, world: World
) -> None:
    await many(owner, world.v1, 150)  # neither their identity nor their counters are right
    await owner.execute("UPDATE iu_core.information_unit SET body = 'x' WHERE title LIKE '%6'")
    answer = await integrity(app_conn)
    assert answer["counts"] == {
        "counter_mismatch": 1,
        "data_digest_mismatch": 150,
        "identity_mismatch": 150,
        "piece_digest_mismatch": 1,
    }
    assert answer["truncated"] is True
    assert len(answer["findings"]) == 100
    assert {finding["kind"] for finding in answer["findings"]} == answer["counts"].keys()


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
