"""`/observability/snapshots` and `/observability/regression`: exact JSON, table and page."""

from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.support.composing import Item, compose_one
from tests.support.http import Service, problem
from tests.support.templates import Template, make_template, open_gates

PATH = "/observability/snapshots"
MATRIX = "/observability/regression"


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template; the gates of composing are open."""
    await open_gates(owner)
    return await make_template(owner)


async def take(service: Service, reason: str = "test") -> dict[str, Any]:
    answer = await service.operator.post(PATH, json={"reason": reason})
    assert answer.status_code == 201
    document: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"{PATH}/{document['snapshot_id']}"
    return document


def summary(snapshot: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in snapshot.items() if name != "surfaces"}


async def compare(service: Service, *expect: str, **named: str) -> dict[str, Any]:
    answer = await service.viewer.get(MATRIX, params={"expect": expect, **named})
    assert answer.status_code == 200
    assert answer.headers["vary"] == "Accept"
    document: dict[str, Any] = answer.json()
    return document


def broken(matrix: dict[str, Any]) -> list[str]:
    """The surfaces that are not as expected; the whole agrees with its parts."""
    found = [change["surface"] for change in matrix["surfaces"] if not change["holds"]]
    assert matrix["holds"] is not bool(found)
    return found


@pytest.fixture
async def two(
    service: Service, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A snapshot before an instance is composed, and one after."""
    before = await take(service, "before")
    await compose_one(app_conn, Item(template.key))
    return before, await take(service, "after <b>")


COMPOSED = (
    "iu_piece_collection=+1",
    "iu_piece_membership=+5",
    "iu_collection_template_instance_lineage=+1",
    "iu_auto_instantiate_event_log=+1",
    "event_outbox/iu=+1",
)


async def test_a_snapshot_is_taken_listed_and_read(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    taken = await take(service, "first")
    revision = await owner.fetchval("SELECT version_num FROM iu_core.iu_schema_revision")
    assert taken == {
        "snapshot_id": taken["snapshot_id"],
        "taken_at": taken["taken_at"],
        "actor": "operator-bot",
        "principal": taken["principal"],
        "reason": "first",
        "request_id": taken["request_id"],
        "schema_revision": revision,
        "surfaces": taken["surfaces"],
    }
    names = [surface["surface"] for surface in taken["surfaces"]]
    assert names == sorted(names)
    collections = next(
        surface for surface in taken["surfaces"] if surface["surface"] == "iu_piece_collection"
    )
    assert collections == {
        "surface": "iu_piece_collection",
        "row_count": 1,
        "digest": collections["digest"],
    }

    assert (await service.viewer.get(f"{PATH}/{taken['snapshot_id']}")).json() == taken
    second = await take(service, "second")
    page = (await service.viewer.get(PATH, params={"limit": 1})).json()
    assert page["items"] == [summary(second)]
    token = page["next_page_token"]
    page = (await service.viewer.get(PATH, params={"page_token": token})).json()
    assert page == {"items": [summary(taken)], "next_page_token": None}


async def test_the_matrix_tells_before_after_delta_and_verdict(
    service: Service, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    before, after = two
    matrix = await compare(
        service, *COMPOSED, **{"from": before["snapshot_id"], "to": after["snapshot_id"]}
    )
    assert broken(matrix) == []
    assert (matrix["before"], matrix["after"]) == (summary(before), summary(after))
    changes = {change["surface"]: change for change in matrix["surfaces"]}
    digests = [
        {surface["surface"]: surface["digest"] for surface in snapshot["surfaces"]}
        for snapshot in two
    ]
    assert list(changes) == sorted(digests[0])
    assert changes["iu_piece_membership"] == {
        "surface": "iu_piece_membership",
        "before": 5,
        "after": 10,
        "delta": 5,
        "digest_before": digests[0]["iu_piece_membership"],
        "digest_after": digests[1]["iu_piece_membership"],
        "changed": True,
        "expected": "+5",
        "holds": True,
    }
    assert changes["information_unit"] == {
        "surface": "information_unit",
        "before": 5,
        "after": 5,
        "delta": 0,
        "digest_before": digests[0]["information_unit"],
        "digest_after": digests[0]["information_unit"],
        "changed": False,
        "expected": "invariant",
        "holds": True,
    }


async def test_what_is_not_expected_to_change_must_not(
    service: Service, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    surfaces = sorted(expectation.partition("=")[0] for expectation in COMPOSED)
    assert broken(await compare(service)) == surfaces
    assert broken(await compare(service, "*=any")) == []
    assert broken(await compare(service, *COMPOSED[1:])) == ["iu_piece_collection"]
    assert broken(await compare(service, *COMPOSED[1:], "iu_piece_collection=any")) == []
    assert broken(await compare(service, *COMPOSED[1:], "iu_piece_collection=+2")) == [
        "iu_piece_collection"
    ]


async def test_a_changed_row_is_no_invariant_but_no_row_more(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await take(service)
    await owner.execute("UPDATE iu_core.iu_collection_template_registry SET reason = 'x'")
    await take(service)
    registry = "iu_collection_template_registry"
    assert broken(await compare(service)) == [registry]
    assert broken(await compare(service, f"{registry}=+0")) == []


async def test_a_plus_that_is_not_encoded_is_one(
    service: Service, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    address = f"{MATRIX}?" + "&".join(f"expect={expectation}" for expectation in COMPOSED)
    matrix = (await service.viewer.get(address)).json()
    assert broken(matrix) == []
    assert {"+1", "+5", "invariant"} == {change["expected"] for change in matrix["surfaces"]}


async def test_an_axis_that_nothing_carries_has_no_rows(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await take(service)
    await owner.execute(
        """INSERT INTO iu_core.iu_unit_axis
           SELECT unit_id, 'DIEU-28', 'x' FROM iu_core.information_unit"""
    )
    await take(service)
    assert broken(await compare(service, "iu_unit_axis/DIEU-28=+5")) == []
    await owner.execute("DELETE FROM iu_core.iu_unit_axis")
    await take(service)
    assert broken(await compare(service, "iu_unit_axis/DIEU-28=-5")) == []


async def test_what_one_snapshot_did_not_look_at_holds_for_nothing(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    first = await take(service)
    await owner.execute(
        "DELETE FROM iu_core.iu_snapshot_surface WHERE surface = 'iu_lifecycle_log'"
    )
    await take(service)
    matrix = await compare(service)
    assert broken(matrix) == ["iu_lifecycle_log"]
    (change,) = (each for each in matrix["surfaces"] if not each["holds"])
    assert (change["before"], change["after"], change["delta"]) == (None, 0, None)
    assert broken(await compare(service, "iu_lifecycle_log=+0")) == ["iu_lifecycle_log"]
    assert broken(await compare(service, "iu_lifecycle_log=any")) == []
    assert first["snapshot_id"] == matrix["before"]["snapshot_id"]


async def test_an_expectation_that_can_t_be_meant_is_refused(
    service: Service, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    answer = await service.viewer.get(
        MATRIX,
        params={"expect": ["iu_colection=+1", "iu_unit_axis/typo=+0", "*=any", "*=invariant"]},
    )
    errors = [
        {
            "location": "query",
            "pointer": "/expect",
            "rule": "surface",
            "detail": "neither snapshot has a surface iu_colection",
        },
        {
            "location": "query",
            "pointer": "/expect",
            "rule": "surface",
            "detail": "neither snapshot has a surface iu_unit_axis/typo",
        },
        {
            "location": "query",
            "pointer": "/expect",
            "rule": "duplicate_key",
            "detail": "expects two things of *",
        },
    ]
    assert answer.status_code == 422
    assert answer.json() == problem(
        "invalid_input", answer.json()["request_id"], MATRIX, errors=errors
    )


@pytest.mark.parametrize(
    "unreadable",
    ["iu_piece_collection", "iu_piece_collection=1", "=any", "x=+1.5", "x=+" + 16 * "1"],
)
async def test_an_expectation_that_can_t_be_read_is_refused_in_words(
    service: Service, unreadable: str
) -> None:
    answer = await service.viewer.get(MATRIX, params={"expect": ["*=any", unreadable]})
    assert answer.status_code == 422
    assert answer.json() == problem(
        "invalid_input",
        answer.json()["request_id"],
        MATRIX,
        errors=[
            {
                "location": "query",
                "pointer": "/expect/1",
                "rule": "value_error",
                "detail": "should be SURFACE=invariant, SURFACE=any, SURFACE=+N or SURFACE=-N, N of"
                " 15 digits at most; or * in place of SURFACE",
            }
        ],
    )


async def test_what_is_compared_goes_forward(
    service: Service, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    before, after = (snapshot["snapshot_id"] for snapshot in two)
    for named in ({"from": after, "to": before}, {"from": after}, {"from": before, "to": before}):
        answer = await service.viewer.get(MATRIX, params=named)
        assert answer.status_code == 422
        assert answer.json() == problem(
            "invalid_input",
            answer.json()["request_id"],
            MATRIX,
            errors=[
                {
                    "location": "query",
                    "pointer": "/from",
                    "rule": "order",
                    "detail": "names a snapshot that was not taken before that of `to`",
                }
            ],
        )


async def test_comparing_needs_two_snapshots(service: Service, template: Template) -> None:
    async def refused(**named: str) -> dict[str, Any]:
        answer = await service.viewer.get(MATRIX, params=named)
        document: dict[str, Any] = answer.json()
        members = {name: document[name] for name in document if name == "snapshot_id"}
        assert document == problem("snapshot_not_found", document["request_id"], MATRIX, **members)
        return members

    assert await refused() == {}
    only = (await take(service))["snapshot_id"]
    assert await refused() == {}
    unknown = str(uuid4())
    assert await refused(**{"from": unknown, "to": only}) == {"snapshot_id": unknown}
    assert await refused(**{"from": only, "to": unknown}) == {"snapshot_id": unknown}


async def read_as(service: Service, media_type: str, *expect: str) -> httpx.Response:
    answer = await service.viewer.get(
        MATRIX, params={"expect": expect}, headers={"accept": media_type}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    return answer


async def test_the_matrix_is_a_table_in_markdown(
    service: Service, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    before, after = two
    said = (await read_as(service, "text/markdown", *COMPOSED[1:])).text
    lines = said.splitlines()
    assert lines[:4] == [
        "# Regression",
        "",
        f"- Before: `{before['snapshot_id']}`, {before['taken_at'][:19].replace('T', ' ')}Z",
        f"- After: `{after['snapshot_id']}`, {after['taken_at'][:19].replace('T', ' ')}Z",
    ]
    assert lines[5:7] == [
        "| surface | before | after | delta | digest | expected | verdict |",
        "|---|---:|---:|---:|---|---|---|",
    ]
    assert len(lines[7:-2]) == len(before["surfaces"])
    assert "| information_unit | 5 | 5 | 0 | same | invariant | holds |" in lines
    assert "| iu_piece_membership | 5 | 10 | +5 | other | +5 | holds |" in lines
    assert "| iu_piece_collection | 1 | 2 | +1 | other | invariant | does not hold |" in lines
    assert lines[-1] == f"**1 of {len(before['surfaces'])} surfaces are not as expected.**"
    assert (
        "**Everything is as expected.**"
        in (await read_as(service, "text/markdown", *COMPOSED)).text.splitlines()
    )


class _Page(HTMLParser):
    """The rows of a page's table, and what it says and would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"th", "td"}:
            self.rows[-1].append("")
        self.loads += [tag for name, _ in attrs if name == "src" or tag in {"link", "script"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data


async def test_the_matrix_is_a_page(
    service: Service, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    answer = await read_as(service, "text/html", *COMPOSED[1:])
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'"
    )
    page = _Page(answer.text)
    assert not page.loads
    head, *rows = page.rows
    assert head == ["surface", "before", "after", "delta", "digest", "expected", "verdict"]
    assert len(rows) == len(two[0]["surfaces"])
    assert ["information_unit", "5", "5", "0", "same", "invariant", "holds"] in rows
    assert ["iu_piece_membership", "5", "10", "+5", "other", "+5", "holds"] in rows
    for said in ("before", "after <b>", two[0]["snapshot_id"], "operator-bot"):
        assert said in "".join(page.text)
    assert f"1 of {len(rows)} surfaces are not as expected." in page.text
    assert answer.text.count('class="broken"') == 1


async def test_other_tables_are_said(
    service: Service, owner: asyncpg.Connection, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    note = "The tables are of revision 0000 before and of"
    assert note not in (await read_as(service, "text/markdown")).text
    await owner.execute(
        "UPDATE iu_core.iu_snapshot SET schema_revision = '0000' WHERE reason = 'before'"
    )
    assert note in (await read_as(service, "text/markdown")).text
    assert note in (await read_as(service, "text/html")).text
