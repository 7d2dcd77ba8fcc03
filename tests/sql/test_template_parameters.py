"""Templates that ask for data: how authors say so, what a next version keeps, what is stored."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.canonical_json import canonical_json
from tests.support.authoring import (
    AUTHORING,
    call,
    content,
    create_piece,
    create_template,
    create_version,
    delta,
    row_counts,
)
from tests.support.interleaving import racing
from tests.support.parameters import (
    DATED,
    LENIENT,
    NAMED,
    Document,
    asking,
    digest_of_schema,
    errors_in,
)
from tests.support.rows import one_row
from tests.support.templates import open_gates

FAMILY = "tpl:wf:onboarding"
REMOVE: dict[str, Any] = {"edits": [{"op": "remove", "position": 1}]}


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring, open."""
    await open_gates(owner, *AUTHORING)


async def asked(
    owner: asyncpg.Connection, key: str
) -> tuple[str | None, list[dict[str, Any]] | None]:
    """The digest of a template's schema, and what is wrong with no data."""
    row = await one_row(
        owner,
        """SELECT schema_digest, empty_data_errors::jsonb -> 'errors'
             FROM iu_core.iu_collection_template_registry WHERE template_key = $1""",
        key,
    )
    return row[0], row[1]


async def stored(owner: asyncpg.Connection) -> dict[str, str]:
    """The schemas that are there, by their digests."""
    rows = await owner.fetch("SELECT schema_digest, schema::text FROM iu_core.iu_template_schema")
    return {row["schema_digest"]: row["schema"] for row in rows}


def known(*documents: Document) -> dict[str, str]:
    """These schemas, as they are to be stored."""
    return {digest_of_schema(one): canonical_json(one) for one in documents}


async def test_a_first_version_asks_for_data_by_a_schema_that_is_stored_once(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    for family in (FAMILY, "tpl:file:report"):
        assert (await create_template(app_conn, family, **asking(NAMED)))["status"] == "ok"
        assert await asked(owner, f"{family}/v1") == (
            digest_of_schema(NAMED),
            errors_in(NAMED, "{}"),
        )
    await create_template(app_conn, "tpl:file:free", [content("x", "x")])
    assert await asked(owner, "tpl:file:free/v1") == (None, None)
    assert await stored(owner) == known(NAMED)
    shown = await one_row(app_conn, "SELECT * FROM iu_core.v_iu_template_schema")
    assert tuple(shown) == (digest_of_schema(NAMED), canonical_json(NAMED))


async def test_a_next_version_keeps_takes_or_drops_what_is_asked_for(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(
        app_conn, pieces=[content(name, name) for name in "abcdef"], **asking(NAMED)
    )
    versions: list[tuple[dict[str, Any], Document | None]] = [
        (REMOVE, NAMED),
        (REMOVE | {"keeps_schema": None}, NAMED),
        (REMOVE | {"keeps_schema": False, **asking(DATED)}, DATED),
        ({"keeps_schema": False, **asking(LENIENT)}, LENIENT),
        ({"keeps_schema": False}, None),
        (REMOVE, None),
        (REMOVE | {"keeps_schema": False, **asking(NAMED)}, NAMED),
    ]
    before: Document | None = NAMED
    for number, (given, document) in enumerate(versions, start=2):
        answer = await create_version(app_conn, **given)
        assert answer["status"] == "ok", answer
        assert answer["parameters_changed"] == (document != before)
        assert await asked(owner, f"{FAMILY}/v{number}") == (
            (None, None)
            if document is None
            else (digest_of_schema(document), errors_in(document, "{}") or None)
        )
        before = document
    assert await stored(owner) == known(NAMED, DATED, LENIENT)


async def test_the_same_pieces_and_the_same_schema_are_no_change(
    app_conn: asyncpg.Connection,
) -> None:
    pieces = [content(name, name) for name in "ab"]
    await create_template(app_conn, pieces=pieces, **asking(NAMED))
    refused = {"status": "no_change", "template_key": f"{FAMILY}/v1"}
    for given in (
        {"pieces": pieces},
        {"pieces": pieces, "keeps_schema": False, **asking(NAMED)},
        {"keeps_schema": False, **asking(NAMED)},
    ):
        assert await create_version(app_conn, **given) == refused
    answer = await create_version(app_conn, keeps_schema=False, **asking(DATED))
    assert (answer["status"], answer["parameters_changed"]) == ("ok", True)


async def test_a_dry_run_tells_of_the_schema_and_stores_none(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn)
    before = await row_counts(owner)
    answer = await create_version(app_conn, keeps_schema=False, dry_run=True, **asking(NAMED))
    assert answer["parameters_changed"] is True
    assert answer["would_be"]["schema_digest"] == digest_of_schema(NAMED)
    assert delta(before, await row_counts(owner)) == {"iu_command_record": 1}
    assert await stored(owner) == {}


async def test_a_version_that_is_refused_stores_no_schema(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, pieces=[content("a", "a")])
    await owner.execute("UPDATE iu_core.information_unit SET life = 'draft'")
    answer = await create_version(app_conn, keeps_schema=False, **asking(NAMED))
    assert answer["status"] == "unit_not_active"
    assert await stored(owner) == {}


async def test_a_collection_is_marked_with_what_it_asks_for(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    unit = (await create_piece(app_conn, "note"))["unit_id"]
    collection: UUID = await owner.fetchval(
        """INSERT INTO iu_core.iu_piece_collection (created_at, collection_key, composition_digest)
           VALUES (now(), 'col:notes',
                   iu_core.fn_iu_composition_store(ARRAY['note'], ARRAY[$1::uuid], now()))
        RETURNING collection_id""",
        unit,
    )
    answer = await call(
        app_conn,
        "fn_iu_template_mark",
        collection_id=collection,
        template_key=f"{FAMILY}/v1",
        reason=None,
        **asking(NAMED),
    )
    assert answer["status"] == "ok"
    expected = (digest_of_schema(NAMED), errors_in(NAMED, "{}"))
    assert await asked(owner, f"{FAMILY}/v1") == expected
    registered = await call(
        app_conn,
        "fn_iu_template_register_version",
        ref=f"{FAMILY}/v1",
        title="",
        description="",
        expected_revisions=None,
        reason=None,
    )
    assert registered["status"] == "ok"
    assert await asked(owner, f"{FAMILY}/v1") == expected


async def test_of_two_authors_with_one_schema_the_second_waits_and_uses_it_either_way(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    """Whether the first commits or not."""
    for number, ends in enumerate(("rollback", "commit")):
        transaction = app_conn.transaction()
        await transaction.start()
        document = NAMED | {"title": ends}
        await create_template(app_conn, f"tpl:wf:first-{number}", **asking(document))
        late_one = create_template(second, f"tpl:wf:second-{number}", **asking(document))
        async with racing(observer, second, late_one) as late:
            await late.blocked(by=app_conn)
            await getattr(transaction, ends)()
            assert (await late.result())["status"] == "ok"
        assert (await asked(owner, f"tpl:wf:second-{number}/v1"))[0] in await stored(owner)


async def test_a_schema_that_was_altered_is_found(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, **asking(NAMED))
    found = await app_conn.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    assert (found["holds"], found["findings"]) == (True, [])
    await owner.execute("UPDATE iu_core.iu_template_schema SET schema = $1", '{"type":"object"}')
    found = await app_conn.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    assert found["holds"] is False
    assert found["findings"] == [
        {
            "kind": "template_schema_mismatch",
            "subject": f"schema {digest_of_schema(NAMED)}",
            "expected": digest_of_schema(NAMED),
            "actual": digest_of_schema({"type": "object"}),
        }
    ]
