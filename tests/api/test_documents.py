"""`…/document` and `…/preview`: what was composed, as something to be read."""

import hashlib
import re
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.documents.formats import FORMATS, RENDERER_VERSION
from app.replay import baseline_25000x
from tests.support.http import Service, problem
from tests.support.letters import GATES, SCHEMA, compose, first_letter, piece, template
from tests.support.templates import open_gates

BEGINNINGS = {
    "md": b"# Welcome",
    "html": b"<!DOCTYPE html>",
    "pdf": b"%PDF-",
    "docx": b"PK",
    "json": b"{",
}


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring and composing, open."""
    await open_gates(owner, *GATES)


@pytest.fixture
async def instance(service: Service) -> str:
    """The id of an instance of a template with a placeholder."""
    return await first_letter(service)


@pytest.mark.parametrize("name", FORMATS)
async def test_an_instance_is_read_in_each_format_the_same_every_time(
    service: Service, instance: str, name: str
) -> None:
    path = f"/instances/{instance}/document"
    first = await service.producer.get(path, params={"format": name})
    assert first.status_code == 200, first.text
    assert first.headers["content-type"].partition(";")[0] == FORMATS[name].media_type
    assert first.content.startswith(BEGINNINGS[name])
    read = (await service.producer.get(f"/instances/{instance}")).json()
    product = hashlib.sha256(f"{read['composition_digest']}\n{read['data_digest']}\n".encode())
    assert read["product_digest"] == product.hexdigest()
    tag = first.headers["etag"]
    assert re.fullmatch(f'"{product.hexdigest()}-[0-9a-f]{{16}}-{RENDERER_VERSION}-{name}"', tag)
    again = await service.producer.get(path, headers={"Accept": FORMATS[name].media_type})
    assert again.content == first.content
    unchanged = await service.producer.get(
        path, params={"format": name}, headers={"If-None-Match": f'"other", W/{tag}'}
    )
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    ("accept", "format_", "answered"),
    [
        ("image/png", "pdf", "application/pdf"),
        ("text/html;q=0", "html", "text/html"),
        ("application/problem+json", "json", "application/json"),
        ("text/html;q=0.1, application/json", None, "application/json"),
        ("*/*", None, "text/markdown"),
    ],
)
async def test_a_format_that_is_named_goes_before_what_is_accepted(
    service: Service, instance: str, accept: str, format_: str | None, answered: str
) -> None:
    path = f"/instances/{instance}/document" + (f"?format={format_}" if format_ else "")

    answer = await service.viewer.get(path, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, answered)


@pytest.mark.parametrize("accept", ["image/png", "application/problem+json", "*/*;q=0"])
async def test_a_document_that_is_not_accepted_is_refused(
    service: Service, instance: str, accept: str
) -> None:
    path = f"/instances/{instance}/document"
    answer = await service.viewer.get(path, headers={"Accept": accept})

    available = [format_.media_type for format_ in FORMATS.values()]
    assert answer.json() == problem(
        "not_acceptable", answer.headers["x-request-id"], path, available=available
    )


async def test_a_page_may_do_nothing_but_be_read(service: Service, instance: str) -> None:
    answer = await service.viewer.get(f"/instances/{instance}/document?format=html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == 'inline; filename="letter-ada.html"'


async def test_data_stays_data(service: Service, instance: str) -> None:
    hostile = "<script>alert(1)</script> [x](javascript:y) {{ name }}"
    made = await compose(service, {"name": hostile})
    page = (await service.viewer.get(f"/instances/{made}/document?format=html")).text
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; [x](javascript:y) {{ name }}" in page


async def test_data_that_the_template_does_not_take_is_refused(
    service: Service, instance: str
) -> None:
    order = {"event_id": str(uuid4()), "event_type": "t", "template": "tpl:wf:letter"}
    for path, body in (
        ("/instances/from-event", {**order, "data": {"nam": 1}}),
        ("/templates/tpl:wf:letter/preview", {"data": {"nam": 1}}),
    ):
        answer = (
            await service.producer.post(path, json=body)
            if "from" in path
            else (await service.viewer.post(path, json=body))
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "payload_invalid")
        assert len(answer.json()["errors"]) == 2


async def test_a_preview_stores_nothing(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    before = await owner.fetchval("SELECT count(*) FROM iu_core.iu_piece_collection")
    answer = await service.viewer.post(
        "/templates/tpl:wf:letter/preview", json={"data": {"name": "Grace", "note": "Hi"}}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "# Welcome, Grace" in answer.text
    assert "> Hi" in answer.text
    assert "etag" not in answer.headers
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_piece_collection") == before


async def test_an_instance_that_was_rolled_back_is_gone(service: Service, instance: str) -> None:
    order = {"actor": "producer-bot", "dry_run": False}
    await service.operator.post("/rollback/by-actor", json=order)
    answer = await service.viewer.get(f"/instances/{instance}/document")
    assert (answer.status_code, answer.json()["code"]) == (410, "rolled_back")


async def test_what_was_composed_again_is_another_document(service: Service, instance: str) -> None:
    path = f"/instances/{instance}/document?format=html"
    before = await service.viewer.get(path)
    event_id = (await service.viewer.get(f"/instances/{instance}")).json()["event_id"]
    order = {"actor": "producer-bot", "dry_run": False, "release_keys": True}
    await service.operator.post("/rollback/by-actor", json=order)
    again = await compose(service, {"name": "Ada"}, event_id=event_id, event_type="other")

    after = await service.viewer.get(path, headers={"If-None-Match": before.headers["etag"]})

    assert again == instance
    assert (after.status_code, "other" in after.text) == (200, True)
    assert after.headers["etag"] != before.headers["etag"]
    known = await service.viewer.get(path, headers={"If-None-Match": after.headers["etag"]})
    assert known.status_code == 304


@pytest.mark.parametrize("name", FORMATS)
async def test_an_instance_that_no_event_composed_is_read_without_one(
    service: Service, owner: asyncpg.Connection, name: str
) -> None:
    async with owner.transaction():
        await owner.execute(baseline_25000x())
    read = (await service.viewer.get("/instances?limit=1")).json()["items"][0]
    path = f"/instances/{read['instance_collection_id']}/document"

    answer = await service.viewer.get(path, params={"format": name})

    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(BEGINNINGS[name])
    assert answer.headers["etag"].startswith(f'"{read["composition_digest"]}-')
    provenance = (await service.viewer.get(path, params={"format": "json"})).json()["provenance"]
    missing = ("actor", "data_digest", "event_id", "event_type", "product_digest")
    assert [provenance[member] for member in missing] == [None] * 5
    assert provenance["composition_digest"] == read["composition_digest"]


async def test_no_instance_has_no_document(service: Service) -> None:
    path = f"/instances/{UUID(int=7)}/document"
    answer = await service.viewer.get(path)
    assert answer.json() == problem("instance_not_found", answer.headers["x-request-id"], path)


async def test_what_a_piece_asks_for_is_reported(service: Service) -> None:
    made = await service.operator.post(
        "/pieces", json={k: v for k, v in piece().items() if k != "role"}
    )
    assert made.json()["variables"] == ["name", "note"]
    published = await service.operator.post(
        "/templates", json=template(piece("{{ note }}{{ name }}"))
    )
    assert (published.json()["variables"], published.json()["may_be_missing"]) == (
        ["name", "note"],
        ["note"],
    )


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("{{ 'now' | date: '%Y' }}", "clock"),
        ("{{ name", "syntax"),
        ("{% include 'x' %}", "tag"),
        ("{{ name | nonsense }}", "filter"),
    ],
)
async def test_a_piece_that_can_never_be_filled_is_refused(
    service: Service, owner: asyncpg.Connection, body: str, rule: str
) -> None:
    for path, order, pointer in (
        ("/pieces", {k: v for k, v in piece(body).items() if k != "role"}, "/body"),
        ("/templates", template(piece(body)), "/pieces"),
    ):
        answer = await service.operator.post(path, json=order)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
        assert {(error["pointer"], error["rule"]) for error in answer.json()["errors"]} == {
            (pointer, rule)
        }
    assert await owner.fetchval("SELECT count(*) FROM iu_core.information_unit") == 0


async def test_placeholders_that_the_parameters_do_not_know_are_refused(service: Service) -> None:
    answer = await service.operator.post("/templates", json=template(piece("# {{ nam }}\n")))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "location": "body",
            "pointer": "/parameters",
            "rule": "unknown_variable",
            "detail": "piece 1 (welcome), line 1: the parameters know no nam",
        }
    ]
    without = await service.operator.post("/templates", json=template(parameters=None))
    assert {error["rule"] for error in without.json()["errors"]} == {"unknown_variable"}
    assert (await service.viewer.get("/templates")).json()["items"] == []


async def test_a_dry_run_of_a_version_looks_at_its_placeholders(
    service: Service, owner: asyncpg.Connection, instance: str
) -> None:
    path = "/templates/families/tpl:wf:letter/versions"
    edit = {"op": "insert", "position": 2, "piece": piece("{{ sender }}", "from")}
    order = {"edits": [edit], "dry_run": True, "reason": "test"}
    refused = await service.operator.post(path, json=order, headers={"If-Match": "*"})
    assert refused.json()["errors"][0]["detail"] == (
        "piece 2 (from), line 1: the parameters know no sender"
    )
    known = {**SCHEMA, "properties": {**SCHEMA["properties"], "sender": {"type": "string"}}}
    told = await service.operator.post(
        path, json={**order, "parameters": known}, headers={"If-Match": "*"}
    )
    assert told.json()["variables"] == ["name", "note", "sender"]
    assert told.json()["may_be_missing"] == ["sender"]
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_collection_template_version") == 1


async def test_what_valid_data_leaves_out_can_stop_the_document(service: Service) -> None:
    await service.operator.post("/templates", json=template(piece("# Hi\n\n{{ note }}")))
    made = await compose(service, {"name": "Ada"})
    path = f"/instances/{made}/document"
    answer = await service.viewer.get(path)
    assert answer.status_code == 409
    body = answer.json()
    assert (body["code"], body["position"], body["role"], body["line"], body["rule"]) == (
        "document_not_renderable",
        1,
        "welcome",
        3,
        "undefined",
    )
