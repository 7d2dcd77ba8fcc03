"""What was tampered with in an instance is named: by the check of everything, and by its own."""

import hashlib
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose, identity
from tests.support.integrity import DATA, World, integrity, tamper, verify
from tests.support.rollback import by_actor, edit, many


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
