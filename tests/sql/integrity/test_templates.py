"""What was tampered with in templates, chains and counters is named by the check of everything."""

import asyncpg
import pytest

from tests.support.integrity import World, integrity, tamper
from tests.support.loose_templates import make_loose_template
from tests.support.templates import make_template

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
