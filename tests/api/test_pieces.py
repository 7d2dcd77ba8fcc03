"""`/pieces`: exact JSON, and who may."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support.authoring import AUTHORING, content, create_template, digest_of
from tests.support.http import Service, client_of, make_key, problem
from tests.support.templates import close_gates, open_gates

DIGESTS = Path(__file__).parents[2] / "docs" / "digests.md"


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring, open."""
    await open_gates(owner, *AUTHORING)


async def make(service: Service, name: str, **more: Any) -> dict[str, Any]:
    answer = await service.operator.post("/pieces", json=content(name, **more))
    assert answer.status_code == 201
    document: dict[str, Any] = answer.json()
    return document


async def test_a_piece_is_made_once_and_known_ever_after(
    service: Service, owner: asyncpg.Connection
) -> None:
    sent = content("Welcome", media_type="Text/Markdown; charset=UTF-8", axes={"DIEU-28": "hr"})
    answer = await service.operator.post("/pieces", json=sent)
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"] == f"/pieces/{made['unit_id']}"
    piece = {
        "unit_id": made["unit_id"],
        "content_digest": digest_of(content("Welcome")),
        "media_type": "text/markdown",
        "title": "Welcome",
        "life": "active",
        "supersedes_unit_id": None,
        "superseded_by_unit_id": None,
        "axes": {"DIEU-28": "hr"},
        "created_by": "operator-bot",
        "created_at": made["created_at"],
        "body": "Welcome",
        "variables": [],
    }
    assert made == {**piece, "known": False, "warnings": []}

    await close_gates(owner)
    again = await service.operator.post("/pieces", json={**sent, "life": "draft", "axes": {}})
    assert again.status_code == 200
    assert "Location" not in again.headers
    assert again.json() == {**piece, "known": True, "warnings": ["life_differs", "axes_differ"]}

    read = await service.viewer.get(f"/pieces/{made['unit_id']}")
    assert (read.status_code, read.json()) == (200, piece)


async def test_the_documented_digests_come_out_over_http(service: Service) -> None:
    sections = DIGESTS.read_text("utf-8").split("\n### ")[1:]
    blocks = [re.findall(r"```\w*\n(.*?)```", section, re.DOTALL) for section in sections]
    contents = []
    for given, _, digest in blocks[:2]:
        piece = await service.operator.post("/pieces", json=json.loads(given))
        assert piece.json()["content_digest"] == digest.strip()
        contents.append(piece.json()["unit_id"])
    given, _, digest = blocks[2]
    pieces = [
        {"role": piece["role"], "unit_id": contents[piece["content"] - 1]}
        for piece in json.loads(given)["pieces"]
    ]
    template = await service.operator.post(
        "/templates", json={"family": "tpl:docs:digests", "pieces": pieces}
    )
    assert template.json()["composition_digest"] == digest.strip()


async def test_a_closed_gate_refuses_and_says_which(
    service: Service, owner: asyncpg.Connection
) -> None:
    unit = (await make(service, "Known"))["unit_id"]
    await close_gates(owner)
    for path, sent, gate in (
        ("/pieces", content("New"), "piece_write"),
        (f"/pieces/{unit}/revise", {"body": "New"}, "piece_write"),
        (f"/pieces/{unit}/lifecycle", {"to_life": "retired"}, "lifecycle"),
    ):
        answer = await service.operator.post(path, json=sent)
        assert answer.status_code == 409
        assert answer.json() == problem(
            f"{gate}_gate_closed",
            answer.headers["x-request-id"],
            path,
            gate=f"iu_core.{gate}_enabled",
            resolve=f"/gates/iu_core.{gate}_enabled",
        )


async def test_everything_that_is_wrong_with_a_piece_is_said_at_once(service: Service) -> None:
    answer = await service.operator.post(
        "/pieces",
        json={
            "media_type": "markdown",
            "title": "two\nlines",
            "life": "retired",
            "axes": {"a b": "x", "c": "d\n"},
            "colour": "red",
        },
    )
    assert answer.status_code == 422
    document = answer.json()
    assert document["code"] == "invalid_input"
    assert [(error["pointer"], error["rule"]) for error in document["errors"]] == [
        ("/media_type", "string_pattern_mismatch"),
        ("/title", "string_pattern_mismatch"),
        ("/body", "missing"),
        ("/life", "literal_error"),
        ("/axes/a b", "string_pattern_mismatch"),
        ("/axes/c", "string_pattern_mismatch"),
        ("/colour", "extra_forbidden"),
    ]


async def test_a_piece_is_revised(service: Service) -> None:
    old = await make(service, "Welcome", axes={"a": "1"})
    answer = await service.operator.post(
        f"/pieces/{old['unit_id']}/revise", json={"body": "Welcome, all.", "reason": "warmer"}
    )
    assert answer.status_code == 201
    new = answer.json()
    assert answer.headers["Location"] == f"/pieces/{new['unit_id']}"
    assert new == {
        "unit_id": new["unit_id"],
        "content_digest": digest_of(content("Welcome", body="Welcome, all.")),
        "media_type": "text/markdown",
        "title": "Welcome",
        "life": "active",
        "supersedes_unit_id": old["unit_id"],
        "superseded_by_unit_id": None,
        "axes": {"a": "1"},
        "created_by": "operator-bot",
        "created_at": new["created_at"],
        "body": "Welcome, all.",
        "variables": [],
    }
    before = (await service.viewer.get(f"/pieces/{old['unit_id']}")).json()
    assert (before["life"], before["superseded_by_unit_id"]) == ("superseded", new["unit_id"])

    path = f"/pieces/{old['unit_id']}/revise"
    again = await service.operator.post(path, json={"body": "Hello."})
    assert again.status_code == 409
    assert again.json() == problem(
        "operation_state",
        again.headers["x-request-id"],
        path,
        state="superseded",
        allowed=["retired"],
    )


async def test_a_revision_that_changes_nothing_or_repeats_another_piece_is_refused(
    service: Service,
) -> None:
    one, two = await make(service, "One"), await make(service, "Two")
    path = f"/pieces/{one['unit_id']}/revise"
    same = await service.operator.post(path, json={})
    assert same.status_code == 409
    assert same.json() == problem("no_change", same.headers["x-request-id"], path)
    other = await service.operator.post(path, json=content("Two"))
    assert other.status_code == 409
    assert other.json() == problem(
        "already_exists", other.headers["x-request-id"], path, key=two["content_digest"]
    )


async def test_a_piece_goes_through_its_life(service: Service) -> None:
    draft = await make(service, "Welcome", life="draft")
    path = f"/pieces/{draft['unit_id']}/lifecycle"
    shown = {name: draft[name] for name in draft if name not in {"known", "warnings"}}
    for life in ("active", "retired"):
        answer = await service.operator.post(path, json={"to_life": life, "reason": "test"})
        assert (answer.status_code, answer.json()) == (200, {**shown, "life": life})
    refused = await service.operator.post(path, json={"to_life": "active"})
    assert refused.status_code == 409
    assert refused.json() == problem(
        "operation_state", refused.headers["x-request-id"], path, state="retired", allowed=[]
    )


async def test_a_piece_of_a_current_template_is_not_retired_and_tells_where_it_is_used(
    service: Service, owner: asyncpg.Connection
) -> None:
    unit = (await make(service, "Shared"))["unit_id"]
    pieces = [
        {"role": "intro", "unit_id": unit},
        content("Middle", "middle"),
        {"role": "outro", "unit_id": unit},
    ]
    one = await create_template(owner, "tpl:wf:one", pieces)
    two = await create_template(owner, "tpl:wf:two", pieces[:1])
    path = f"/pieces/{unit}/lifecycle"
    answer = await service.operator.post(path, json={"to_life": "retired"})
    assert answer.status_code == 409
    assert answer.json() == problem(
        "unit_in_use",
        answer.headers["x-request-id"],
        path,
        templates=["tpl:wf:one/v1", "tpl:wf:two/v1"],
    )

    def use(made: dict[str, Any], key: str, position: int, role: str) -> dict[str, Any]:
        return {
            "collection_id": made["template_collection_id"],
            "collection_key": key,
            "position": position,
            "role": role,
            "template_key": key,
            "status": "current",
        }

    places = [
        use(one, "tpl:wf:one/v1", 1, "intro"),
        use(one, "tpl:wf:one/v1", 3, "outro"),
        use(two, "tpl:wf:two/v1", 1, "intro"),
    ]
    whole = await service.viewer.get(f"/pieces/{unit}/where-used")
    assert whole.json() == {"items": places, "next_page_token": None}
    found: list[dict[str, Any]] = []
    token: str | None = None
    for _ in places:
        params = {"limit": 1} | ({"page_token": token} if token else {})
        page = (await service.viewer.get(f"/pieces/{unit}/where-used", params=params)).json()
        found += page["items"]
        token = page["next_page_token"]
    assert (found, token) == (places, None)


async def test_an_unknown_piece_is_not_found(service: Service) -> None:
    unit = str(uuid4())
    for method, tail, sent in (
        ("GET", "", None),
        ("GET", "/where-used", None),
        ("POST", "/revise", {"body": "x"}),
        ("POST", "/lifecycle", {"to_life": "retired"}),
    ):
        path = f"/pieces/{unit}{tail}"
        answer = await service.operator.request(method, path, json=sent)
        assert answer.status_code == 404
        assert answer.json() == problem(
            "unit_not_found", answer.headers["x-request-id"], path, units=[unit]
        )


async def test_pieces_are_listed_newest_first_and_filtered(service: Service) -> None:
    made = [
        await make(service, "Alpha", axes={"DIEU-28": "x"}),
        await make(service, "50% of Beta", life="draft"),
        await make(service, "gamma", media_type="text/html"),
    ]
    of_the_whole = {"body", "variables", "known", "warnings"}
    summaries = [
        {name: value for name, value in piece.items() if name not in of_the_whole}
        for piece in reversed(made)
    ]

    async def listed(**params: Any) -> list[str]:
        answer = await service.viewer.get("/pieces", params=params)
        assert answer.status_code == 200
        document = answer.json()
        assert document["next_page_token"] is None
        return [piece["title"] for piece in document["items"]]

    whole = await service.viewer.get("/pieces")
    assert whole.json() == {"items": summaries, "next_page_token": None}
    assert await listed(life="draft") == ["50% of Beta"]
    assert await listed(title="A") == ["gamma", "50% of Beta", "Alpha"]
    assert await listed(title="50%") == ["50% of Beta"]
    assert await listed(title="_") == []
    assert await listed(media_type="TEXT/HTML;q=1") == ["gamma"]
    assert await listed(axis="DIEU-28") == ["Alpha"]
    assert await listed(content_digest=made[2]["content_digest"]) == ["gamma"]
    assert await listed(life="active", title="alp") == ["Alpha"]

    titles: list[str] = []
    token: str | None = None
    for _ in made:
        params: dict[str, Any] = {"limit": 1} | ({"page_token": token} if token else {})
        page = (await service.viewer.get("/pieces", params=params)).json()
        titles += [piece["title"] for piece in page["items"]]
        token = page["next_page_token"]
    assert (titles, token) == (["gamma", "50% of Beta", "Alpha"], None)


async def test_a_piece_is_made_as_the_narrowed_actor(
    service: Service, owner: asyncpg.Connection
) -> None:
    key = await make_key(owner, "operator", actor="ops-anna", prefixes=("ops-",))
    async with client_of(service.app, key) as anna:
        made = await anna.post("/pieces", json={**content("Hers"), "actor": "ops-anna-night"})
        assert made.json()["created_by"] == "ops-anna-night"
        refused = await anna.post("/pieces", json={**content("Other"), "actor": "hr-bot"})
    assert refused.status_code == 403
    assert refused.json() == problem(
        "actor_not_allowed", refused.headers["x-request-id"], "/pieces", actor="hr-bot"
    )


async def test_a_piece_is_given_other_axes(service: Service, owner: asyncpg.Connection) -> None:
    await open_gates(owner, "envelope_refresh_enabled")
    piece = await make(service, "Welcome", axes={"DIEU-28": "hr"})
    made = {name: value for name, value in piece.items() if name not in {"known", "warnings"}}
    path = f"/pieces/{piece['unit_id']}"
    pieces = [{"role": "welcome", "unit_id": piece["unit_id"]}]
    order = {"family": "tpl:wf:onboarding", "title": "T", "pieces": pieces}
    assert (await service.operator.post("/templates", json=order)).status_code == 201

    axes = {"DIEU-28": "it", "DIEU-32": "x"}
    answer = await service.operator.put(f"{path}/axes", json={"axes": axes, "reason": "better"})
    assert answer.status_code == 200
    assert answer.json() == {
        **made,
        "axes": axes,
        "changed": True,
        "compositions_refreshed": 1,
    }
    assert (await service.viewer.get(path)).json() == {**made, "axes": axes}
    template = (await service.viewer.get("/templates/tpl:wf:onboarding")).json()
    assert template["axes"] == {
        "DIEU-28": {"unit_count": 1, "values": ["it"]},
        "DIEU-32": {"unit_count": 1, "values": ["x"]},
    }

    again = await service.operator.put(f"{path}/axes", json={"axes": axes})
    assert again.json() == {**made, "axes": axes, "changed": False, "compositions_refreshed": 0}
    await service.operator.put(f"{path}/axes", json={"axes": {}})
    page = (await service.viewer.get(f"{path}/axes/history", params={"limit": 1})).json()
    assert [change["axes_after"] for change in page["items"]] == [{}]
    page = await service.viewer.get(
        f"{path}/axes/history", params={"page_token": page["next_page_token"]}
    )
    (change,) = page.json()["items"]
    assert page.json()["next_page_token"] is None
    assert change == {
        "axis_log_id": change["axis_log_id"],
        "axes_before": {"DIEU-28": "hr"},
        "axes_after": axes,
        "compositions": 1,
        "actor": "operator-bot",
        "principal": change["principal"],
        "reason": "better",
        "request_id": answer.headers["x-request-id"],
        "occurred_at": change["occurred_at"],
    }
    nowhere = f"/pieces/{uuid4()}"
    for refused in (
        await service.operator.put(f"{nowhere}/axes", json={"axes": {}}),
        await service.viewer.get(f"{nowhere}/axes/history"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (404, "unit_not_found")
