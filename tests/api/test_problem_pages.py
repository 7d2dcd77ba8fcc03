"""The pages that explain refusals."""

import json
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx
import pytest

from app.errors import CATALOGUE
from app.main import create_app
from app.refusals.models import example
from app.settings import Settings
from tests.api.throwaway import assert_problem, client_of

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(Settings())) as client:
        yield client


class _Page(HTMLParser):
    """What a page says, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.loads += [tag for name, _ in attrs if name == "src" or tag in {"link", "script"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("code", CATALOGUE)
async def test_every_refusal_has_its_page_and_its_document(
    client: httpx.AsyncClient, code: str
) -> None:
    spec = CATALOGUE[code]
    page = await client.get(spec.page, headers={"accept": BROWSER})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    read = _Page(page.text)
    said = "".join(read.text)
    assert not read.open
    assert not read.loads
    for sentence in (spec.title, spec.meaning, spec.remedy, *spec.other_statuses.values()):
        assert sentence.replace("`", "") in said
    for member in spec.members:
        assert member.name in said
        assert member.meaning.replace("`", "") in said
    assert json.dumps(example(code), indent=2, ensure_ascii=False) in said
    document = await client.get(spec.page, headers={"accept": "application/json"})
    assert document.headers["content-type"] == "application/json"
    assert document.headers["vary"] == "Accept"
    explained = document.json()
    assert [explained[name] for name in ("type", "code", "title", "meaning", "remedy")] == [
        spec.page,
        code,
        spec.title,
        spec.meaning,
        spec.remedy,
    ]
    assert [status["status"] for status in explained["statuses"]] == list(spec.statuses)


async def test_one_document_to_the_letter(client: httpx.AsyncClient) -> None:
    response = await client.get("/problems/too_deep", headers={"accept": "application/json"})
    assert response.json() == {
        "type": "/problems/too_deep",
        "code": "too_deep",
        "kind": "input",
        "title": "The JSON is nested too deeply",
        "statuses": [{"status": 422, "when": ""}],
        "meaning": "Objects and arrays lie within each other deeper than `limit` levels.",
        "remedy": "Flatten the document.",
        "members": [
            {
                "name": "limit",
                "meaning": "The deepest nesting that is allowed.",
                "always": True,
                "example": 32,
            },
            {
                "name": "line",
                "meaning": "Of newline-delimited JSON: the line, from 1.",
                "always": False,
                "example": 3,
            },
        ],
        "example": {
            "type": "/problems/too_deep",
            "title": "The JSON is nested too deeply",
            "status": 422,
            "detail": "Objects and arrays lie within each other deeper than `limit` levels.",
            "instance": "/instances/from-event",
            "code": "too_deep",
            "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
            "limit": 32,
        },
    }


async def test_the_list_has_every_refusal_and_leads_to_it(client: httpx.AsyncClient) -> None:
    page = await client.get("/problems")
    document = await client.get("/problems", headers={"accept": "application/json"})
    assert all(f'href="{spec.page}"' in page.text for spec in CATALOGUE.values())
    assert [problem["code"] for problem in document.json()["problems"]] == list(CATALOGUE)


async def test_an_unknown_refusal_is_no_wrong_path(client: httpx.AsyncClient) -> None:
    response = await client.get("/problems/surprise")
    assert_problem(response, "problem_not_found", instance="/problems/surprise")


async def test_a_page_of_another_kind_is_not_acceptable(client: httpx.AsyncClient) -> None:
    response = await client.get("/problems/internal", headers={"accept": "image/png"})
    assert_problem(
        response,
        "not_acceptable",
        instance="/problems/internal",
        available=["text/html", "application/json", "application/problem+json"],
    )
