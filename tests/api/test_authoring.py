"""`/templates`, authored: exact JSON, conditions, refusals."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.authoring import (
    AUTHORING,
    composition_digest_of,
    content,
    create_piece,
    digest_of,
)
from tests.support.composing import Item, compose_one
from tests.support.http import Service, problem
from tests.support.rows import one_row
from tests.support.templates import close_gates, open_gates

FAMILY = "tpl:file:status-report"
VERSIONS = f"/templates/families/{FAMILY}/versions"


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring, open."""
    await open_gates(owner, *AUTHORING)


def digest(names: str) -> str:
    return composition_digest_of([(name, digest_of(content(name))) for name in names])


NO_PLACEHOLDERS: dict[str, list[str]] = {"variables": [], "may_be_missing": []}


def template(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A whole template; ids and times are the document's own, the rest as a first version has."""
    return {
        "template_collection_id": document["template_collection_id"],
        "template_key": f"{FAMILY}/v1",
        "family": FAMILY,
        "version": "v1",
        "status": "current",
        "template_without_version": False,
        "title": "Status report",
        "description": "For sponsors",
        "composition_digest": digest("abc"),
        "piece_count": 3,
        "schema_digest": None,
        "axes": {},
        "supersedes": None,
        "family_chain_length": 1,
        "digest_drift_from_previous": None,
        "marked_by": "operator-bot",
        "marked_at": document["marked_at"],
        "versioned_by": "operator-bot",
        "versioned_at": document["marked_at"],
        "reason": "",
        "withdrawn_by": None,
        "withdrawn_at": None,
        "withdrawn_reason": None,
        "warnings": [],
        **members,
    }


NEW = {
    "family": FAMILY,
    "title": "Status report",
    "description": "For sponsors",
    "pieces": [content(name, name) for name in "abc"],
}
INSERT = {"op": "insert", "position": 1, "piece": content("d", "d")}


@pytest.fixture
async def first(service: Service) -> dict[str, Any]:
    """The family's first version: a b c."""
    answer = await service.operator.post("/templates", json=NEW)
    assert answer.status_code == 201
    document: dict[str, Any] = answer.json()
    return document


async def plain_collection(owner: asyncpg.Connection, name: str) -> str:
    """A collection of one piece, as only the owner makes them."""
    unit = (await create_piece(owner, name))["unit_id"]
    collection: UUID = await owner.fetchval(
        """INSERT INTO iu_core.iu_piece_collection
                  (created_at, collection_key, composition_digest)
           VALUES (now(), 'col:notes',
                   iu_core.fn_iu_composition_store(ARRAY['note'], ARRAY[$1::uuid], now()))
        RETURNING collection_id""",
        unit,
    )
    return str(collection)


async def refused(
    service: Service, path: str, sent: Any, status: int, code: str, **members: Any
) -> None:
    """The operator's request is refused with exactly this problem."""
    headers = members.pop("headers", {"If-Match": "*"})
    answer = await service.operator.post(path, json=sent, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json() == problem(code, answer.headers["x-request-id"], path, **members)


async def test_a_family_is_made_with_its_first_version(service: Service) -> None:
    answer = await service.operator.post("/templates", json={**NEW, "reason": "first"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/templates/{FAMILY}@v1"
    assert answer.headers["ETag"] == '"1"'
    made = answer.json()
    assert made == template(made, reason="first", **NO_PLACEHOLDERS)
    read = await service.viewer.get(answer.headers["Location"])
    told = {"warnings": [], **NO_PLACEHOLDERS}
    assert read.json() | told == made | {"parameters": None}


async def test_a_first_version_is_refused(
    service: Service, owner: asyncpg.Connection, first: dict[str, Any]
) -> None:
    draft = (await create_piece(owner, "draft", life="draft"))["unit_id"]
    unknown = str(uuid4())
    await refused(service, "/templates", NEW, 409, "already_exists", key=FAMILY)
    other = {**NEW, "family": "tpl:wf:other"}
    for unit, status, code in (
        (unknown, 404, "unit_not_found"),
        (draft, 409, "unit_not_active"),
    ):
        pieces = [content("never made", "a"), {"role": "b", "unit_id": unit}]
        sent = {**other, "pieces": pieces}
        await refused(service, "/templates", sent, status, code, units=[unit])
    await close_gates(owner)
    await refused(
        service,
        "/templates",
        other,
        409,
        "template_authoring_gate_closed",
        gate="iu_core.template_authoring_enabled",
        resolve="/gates/iu_core.template_authoring_enabled",
    )
    await open_gates(owner, "template_authoring_enabled")
    await refused(
        service,
        "/templates",
        {**other, "pieces": [content("never made", "a")]},
        409,
        "piece_write_gate_closed",
        gate="iu_core.piece_write_enabled",
        resolve="/gates/iu_core.piece_write_enabled",
    )
    titles = await owner.fetch("SELECT title FROM iu_core.information_unit")
    assert "never made" not in {row["title"] for row in titles}


async def test_malformed_pieces_are_named_by_where_they_stand(service: Service) -> None:
    unit = str(uuid4())
    answer = await service.operator.post(
        "/templates",
        json={
            "family": "onboarding",
            "pieces": [
                {"role": "Intro", "unit_id": unit},
                {"role": "a", "unit_id": unit, "body": "x"},
                {"role": "b", "title": "no media type", "body": "x"},
                7,
            ],
        },
    )
    assert answer.status_code == 422
    assert [(error["pointer"], error["rule"]) for error in answer.json()["errors"]] == [
        ("/family", "string_pattern_mismatch"),
        ("/pieces/0/role", "string_pattern_mismatch"),
        ("/pieces/1/body", "extra_forbidden"),
        ("/pieces/2/media_type", "missing"),
        ("/pieces/3", "model_attributes_type"),
    ]


async def test_a_member_named_like_a_kind_of_piece_is_told_of_where_it_stands(
    service: Service,
) -> None:
    piece = {"role": "intro", "content": {"media_type": "text/plain"}}
    known = {"role": "intro", "unit_id": "x", "unit": {"unit_id": str(uuid4())}}
    edits = [{"op": "insert", "position": 1, "piece": one} for one in (piece, known)]
    answer = await service.operator.post(
        VERSIONS, json={"edits": edits}, headers={"If-Match": '"1"'}
    )
    told = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert told == {
        "/edits/0/piece/media_type": "is missing",
        "/edits/0/piece/title": "is missing",
        "/edits/0/piece/body": "is missing",
        "/edits/0/piece/content": "there is no such field",
        "/edits/1/piece/unit_id": "should be a UUID: 8-4-4-4-12 hex digits",
        "/edits/1/piece/unit": "there is no such field",
    }
    assert "\\u0000" not in answer.text


async def test_a_next_version_by_edits_supersedes_and_shows_what_changed(
    service: Service, first: dict[str, Any]
) -> None:
    etag = (await service.viewer.get(f"/templates/{FAMILY}")).headers["ETag"]
    answer = await service.operator.post(
        VERSIONS, json={"edits": [INSERT], "reason": "a summary"}, headers={"If-Match": etag}
    )
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/templates/{FAMILY}@v2"
    assert answer.headers["ETag"] == '"2"'
    made = answer.json()
    added = {
        "position": 1,
        "unit_id": made["changes"][0]["after"]["unit_id"],
        "content_digest": digest_of(content("d")),
        "media_type": "text/markdown",
        "title": "d",
        "life": "active",
    }
    assert made == template(
        made,
        template_key=f"{FAMILY}/v2",
        version="v2",
        composition_digest=digest("dabc"),
        piece_count=4,
        supersedes=f"{FAMILY}/v1",
        family_chain_length=2,
        digest_drift_from_previous=True,
        reason="a summary",
        outcome="published",
        changes=[{"change": "added", "role": "d", "before": None, "after": added}],
        parameters_changed=False,
        **NO_PLACEHOLDERS,
    )
    read = (await service.viewer.get(f"/templates/{FAMILY}")).json()
    assert read.pop("parameters") is None
    assert made | read == made


async def test_a_dry_run_shows_the_same_changes_and_makes_nothing(
    service: Service, owner: asyncpg.Connection, first: dict[str, Any]
) -> None:
    sent = {"edits": [INSERT, {"op": "remove", "position": 2}], "dry_run": True}
    answer = await service.operator.post(VERSIONS, json=sent, headers={"If-Match": '"1"'})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"1"'
    assert "Location" not in answer.headers
    unit = (await service.viewer.get("/pieces?title=a")).json()["items"][0]["unit_id"]
    placed = {"position": 1, "media_type": "text/markdown", "life": "active"}
    would_be = {
        "template_key": f"{FAMILY}/v2",
        "version": "v2",
        "composition_digest": digest("dbc"),
        "piece_count": 3,
        "schema_digest": None,
        "supersedes": f"{FAMILY}/v1",
    }
    assert answer.json() == {
        "outcome": "dry_run",
        "would_be": would_be,
        "parameters_changed": False,
        "changes": [
            {
                "change": "removed",
                "role": "a",
                "before": {
                    **placed,
                    "unit_id": unit,
                    "content_digest": digest_of(content("a")),
                    "title": "a",
                },
                "after": None,
            },
            {
                "change": "added",
                "role": "d",
                "before": None,
                "after": {
                    **placed,
                    "unit_id": None,
                    "content_digest": digest_of(content("d")),
                    "title": "d",
                },
            },
        ],
        "warnings": [],
        **NO_PLACEHOLDERS,
    }
    assert (await service.viewer.get(f"/templates/{FAMILY}")).json()["version"] == "v1"
    record = await one_row(
        owner,
        """SELECT command, outcome, code, actor, request_id::text, details
             FROM iu_core.iu_command_record WHERE outcome <> 'done'""",
    )
    assert tuple(record) == (
        "create_template_version",
        "dry_run",
        "ok",
        "operator-bot",
        answer.headers["x-request-id"],
        would_be,
    )


async def test_the_whole_list_of_a_next_version_may_be_sent(
    service: Service, first: dict[str, Any]
) -> None:
    unit = (await service.viewer.get("/pieces?title=c")).json()["items"][0]["unit_id"]
    sent = {"pieces": [{"role": "c", "unit_id": unit}, content("a", "a")]}
    answer = await service.operator.post(VERSIONS, json=sent, headers={"If-Match": "*"})
    assert answer.status_code == 201
    assert answer.json()["composition_digest"] == digest("ca")
    assert [change["change"] for change in answer.json()["changes"]] == ["moved", "removed"]


async def test_a_chain_is_changed_only_by_who_has_seen_it(
    service: Service, first: dict[str, Any]
) -> None:
    sent = {"edits": [INSERT]}
    withdraw = f"/templates/{FAMILY}/withdraw"
    for path, document in ((VERSIONS, sent), (withdraw, {"reason": "wrong"})):
        await refused(service, path, document, 428, "precondition_required", headers={})
        for stale in ('"2"', 'W/"1"', '"one"', '"2", "3"', '""', '"01"'):
            await refused(
                service,
                path,
                document,
                412,
                "precondition_failed",
                headers={"If-Match": stale},
                etag='"1"',
            )
        for malformed in ("1", "", '"1', '"1" "2"', "*, *"):
            answer = await service.operator.post(
                path, json=document, headers={"If-Match": malformed}
            )
            assert answer.status_code == 422
            assert answer.json()["errors"] == [
                {
                    "location": "header",
                    "pointer": "/If-Match",
                    "rule": "entity_tag",
                    "detail": 'should be an entity tag in quotes, as `ETag` has it: "2"',
                }
            ]
    answer = await service.operator.post(VERSIONS, json=sent, headers={"If-Match": '"7" , "1"'})
    assert answer.status_code == 201


async def test_a_next_version_is_refused(
    service: Service, owner: asyncpg.Connection, first: dict[str, Any]
) -> None:
    await refused(
        service,
        "/templates/families/tpl:no:such/versions",
        {"edits": [INSERT]},
        404,
        "template_family_not_found",
        family="tpl:no:such",
    )
    await refused(
        service,
        VERSIONS,
        {"pieces": NEW["pieces"]},
        409,
        "no_change",
        template_key=f"{FAMILY}/v1",
    )
    beyond = await service.operator.post(
        VERSIONS,
        json={"edits": [{"op": "remove", "position": 4}]},
        headers={"If-Match": "*"},
    )
    assert beyond.status_code == 422
    assert beyond.json()["errors"] == [
        {
            "location": "body",
            "pointer": "/edits/0/position",
            "rule": "position",
            "detail": "the list has 3 pieces when this edit finds it",
        }
    ]
    for sent in ({}, {"edits": [INSERT], "pieces": NEW["pieces"]}):
        answer = await service.operator.post(VERSIONS, json=sent, headers={"If-Match": "*"})
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {
                "location": "body",
                "pointer": "",
                "rule": "value_error",
                "detail": "should have either `edits` or `pieces`",
            }
        ]
    await owner.execute(
        "UPDATE iu_core.iu_collection_template_registry SET template_key = $1",
        f"{FAMILY}/v999999999",
    )
    answer = await service.operator.post(
        VERSIONS, json={"edits": [INSERT]}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 409
    assert answer.json() == {
        **problem("operation_state", answer.headers["x-request-id"], VERSIONS),
        "detail": "The family has no version number left.",
    }


async def test_a_kept_piece_that_was_revised_is_a_warning(
    service: Service, first: dict[str, Any]
) -> None:
    unit = (await service.viewer.get("/pieces?title=a")).json()["items"][0]["unit_id"]
    await service.operator.post(f"/pieces/{unit}/revise", json={"body": "new"})
    answer = await service.operator.post(
        VERSIONS, json={"edits": [INSERT]}, headers={"If-Match": '"1"'}
    )
    assert (answer.status_code, answer.json()["warnings"]) == (201, ["unit_superseded"])


async def test_a_collection_is_marked_and_registered(
    service: Service, owner: asyncpg.Connection
) -> None:
    collection = await plain_collection(owner, "note")
    sent = {"collection_id": collection, "template_key": f"{FAMILY}@v1", "reason": "kept"}
    answer = await service.operator.post("/templates/mark", json=sent)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/templates/{FAMILY}@v1"
    assert "ETag" not in answer.headers
    marked = answer.json()
    unversioned = {
        "template_collection_id": collection,
        "status": None,
        "template_without_version": True,
        "title": "",
        "description": "",
        "composition_digest": composition_digest_of([("note", digest_of(content("note")))]),
        "piece_count": 1,
        "family_chain_length": 0,
        "versioned_by": None,
        "versioned_at": None,
        "reason": "kept",
    }
    assert marked == template(marked, **unversioned, **NO_PLACEHOLDERS)

    path = f"/templates/{FAMILY}@v1/register-version"
    await refused(service, path, {}, 412, "precondition_failed", headers={"If-Match": '"1"'})
    answer = await service.operator.post(
        path, json={"title": "Status report", "description": "For sponsors", "reason": "late"}
    )
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"1"'
    registered = answer.json()
    assert registered == template(
        registered,
        **NO_PLACEHOLDERS,
        **{
            **unversioned,
            "status": "current",
            "template_without_version": False,
            "title": "Status report",
            "description": "For sponsors",
            "family_chain_length": 1,
            "versioned_by": "operator-bot",
            "versioned_at": registered["versioned_at"],
            "reason": "late",
        },
    )
    await refused(service, path, {}, 409, "already_exists", key=f"{FAMILY}/v1")


async def test_what_can_not_be_marked_or_registered(
    service: Service, owner: asyncpg.Connection, first: dict[str, Any]
) -> None:
    collection = await plain_collection(owner, "note")
    unknown = str(uuid4())
    taken = {"collection_id": collection, "template_key": f"{FAMILY}/v1"}
    await refused(service, "/templates/mark", taken, 409, "already_exists", key=f"{FAMILY}/v1")
    await refused(
        service,
        "/templates/mark",
        {"collection_id": unknown, "template_key": f"{FAMILY}/v2"},
        404,
        "template_collection_not_found",
        template=unknown,
    )
    await open_gates(owner)
    instance = await compose_one(owner, Item(FAMILY))
    answer = await service.operator.post(
        "/templates/mark",
        json={
            "collection_id": str(instance["instance_collection_id"]),
            "template_key": f"{FAMILY}/v2",
        },
    )
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "location": "body",
            "pointer": "/collection_id",
            "rule": "plain_collection",
            "detail": "is an instance, which can't be a template",
        }
    ]
    path = f"/templates/{collection}/register-version"
    await refused(service, path, {}, 409, "template_not_marked")
    path = f"/templates/{unknown}/register-version"
    await refused(service, path, {}, 404, "template_collection_not_found", template=unknown)


async def test_a_version_is_withdrawn_and_its_predecessor_is_current_again(
    service: Service, first: dict[str, Any]
) -> None:
    await service.operator.post(VERSIONS, json={"edits": [INSERT]}, headers={"If-Match": '"1"'})
    path = f"/templates/{FAMILY}@v2/withdraw"
    answer = await service.operator.post(
        path, json={"reason": "wrong building"}, headers={"If-Match": '"2"'}
    )
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"3"'
    withdrawn = answer.json()
    assert withdrawn == template(
        withdrawn,
        template_key=f"{FAMILY}/v2",
        version="v2",
        status="withdrawn",
        composition_digest=digest("dabc"),
        piece_count=4,
        supersedes=f"{FAMILY}/v1",
        digest_drift_from_previous=True,
        withdrawn_by="operator-bot",
        withdrawn_at=withdrawn["withdrawn_at"],
        withdrawn_reason="wrong building",
        current=f"{FAMILY}/v1",
    )
    assert (await service.viewer.get(f"/templates/{FAMILY}")).json()["version"] == "v1"
    await refused(
        service,
        path,
        {"reason": "again"},
        409,
        "operation_state",
        state="withdrawn",
        allowed=[],
    )


async def test_a_version_with_instances_is_not_withdrawn(
    service: Service, owner: asyncpg.Connection, first: dict[str, Any]
) -> None:
    await open_gates(owner)
    for suffix in ("1", "2"):
        assert (await compose_one(owner, Item(FAMILY, suffix=suffix)))["status"] == "ok"
    await refused(
        service,
        f"/templates/{FAMILY}/withdraw",
        {"reason": "wrong"},
        409,
        "template_in_use",
        template_key=f"{FAMILY}/v1",
        instances=2,
    )


async def test_two_authors_at_the_same_time_publish_one_version_each_or_one_is_told(
    service: Service, first: dict[str, Any]
) -> None:
    """Both have seen revision 1: one publishes, the other is told to look again."""
    answers = await asyncio.gather(
        *(
            service.operator.post(
                VERSIONS,
                json={"edits": [{**INSERT, "piece": content(name, name)}]},
                headers={"If-Match": '"1"'},
            )
            for name in "xy"
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 412]
    (late,) = [answer for answer in answers if answer.status_code == 412]
    assert late.json()["etag"] == '"2"'
