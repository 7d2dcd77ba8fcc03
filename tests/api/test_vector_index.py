"""The vector index as a surface of snapshots. What Qdrant answers is played: it is not ours."""

import json
from typing import Any

import asyncpg
import httpx
import pytest

from app.settings import Settings
from app.vector_index import POINTS_AT_ONCE, VectorIndex
from tests.support.databases import Database
from tests.support.http import Service, problem, running_service

URL = "http://qdrant.test/collections/iu_core_iu_chunks"
SNAPSHOTS = "/observability/snapshots"


class Qdrant(httpx.AsyncBaseTransport):
    """A collection's points, answered page by page, as its `points/scroll` does."""

    def __init__(self, points: list[dict[str, Any]]) -> None:
        self.points = points
        self.page = POINTS_AT_ONCE
        self.asked: list[httpx.Request] = []
        self.answer: httpx.Response | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One page, or the answer that is set."""
        self.asked.append(request)
        if self.answer is not None:
            return self.answer
        assert (request.method, str(request.url)) == ("POST", f"{URL}/points/scroll")
        order = json.loads(request.content)
        assert order.pop("limit") == POINTS_AT_ONCE
        begin = order.pop("offset", 0)
        assert order == {"with_payload": True, "with_vector": False}
        end = begin + self.page
        result = {
            "points": self.points[begin:end],
            "next_page_offset": end if end < len(self.points) else None,
        }
        return httpx.Response(200, json={"result": result, "status": "ok", "time": 0.001})


def points(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "payload": {"title": f"piece {number}"}} for number in range(count)]


async def surface(qdrant: Qdrant) -> dict[str, Any]:
    return await VectorIndex(URL, "a key", transport=qdrant).surface()


async def test_all_of_it_is_counted_page_by_page() -> None:
    qdrant = Qdrant(points(5))
    whole = await surface(qdrant)
    assert (whole["surface"], whole["row_count"], len(qdrant.asked)) == ("vector_index", 5, 1)
    qdrant.page = 2
    qdrant.points.reverse()
    assert await surface(qdrant) == whole
    assert len(qdrant.asked) == 1 + 3
    assert {request.headers["api-key"] for request in qdrant.asked} == {"a key"}


async def test_a_changed_point_shows_at_the_same_count() -> None:
    qdrant = Qdrant(points(3))
    before = await surface(qdrant)
    qdrant.points[1]["payload"]["title"] = "another"
    after = await surface(qdrant)
    assert before["row_count"] == after["row_count"]
    assert before["digest"] != after["digest"]
    qdrant.points[1], qdrant.points[2] = (
        {"id": one["id"], "payload": other["payload"]}
        for one, other in (qdrant.points[1:3], qdrant.points[2:0:-1])
    )
    assert (await surface(qdrant))["digest"] not in {before["digest"], after["digest"]}


@pytest.fixture
def qdrant(service: Service) -> Qdrant:
    """A collection that the service is given."""
    played = Qdrant(points(152))
    service.app.state.vector_index = VectorIndex(URL, transport=played)
    return played


async def test_a_snapshot_looks_at_it_too(service: Service, qdrant: Qdrant) -> None:
    for _ in range(2):
        taken = await service.operator.post(SNAPSHOTS, json={"reason": "test"})
        assert taken.status_code == 201
    (kept,) = (each for each in taken.json()["surfaces"] if each["surface"] == "vector_index")
    assert kept == await surface(qdrant)
    qdrant.points.pop()
    await service.operator.post(SNAPSHOTS, json={"reason": "test"})
    matrix = await service.viewer.get(
        "/observability/regression", params={"expect": "vector_index=-1"}
    )
    assert matrix.json()["holds"] is True


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(401, json={"status": {"error": "no key"}}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"status": "ok"}),
        httpx.Response(200, json=[]),
    ],
    ids=["down", "not let in", "no JSON", "no points", "a list"],
)
async def test_no_snapshot_is_taken_where_it_can_t_be_read(
    service: Service, qdrant: Qdrant, owner: asyncpg.Connection, answer: httpx.Response
) -> None:
    qdrant.answer = answer
    refused = await service.operator.post(SNAPSHOTS, json={"reason": "test"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json() == problem(
        "vector_index_unavailable", refused.json()["request_id"], SNAPSHOTS, retry_after=1
    )
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_snapshot") == 0


async def test_nobody_answers(database: Database, owner: asyncpg.Connection) -> None:
    async with running_service(
        database, owner, vector_index_url="http://127.0.0.1:9/collections/x/"
    ) as service:
        refused = await service.operator.post(SNAPSHOTS, json={"reason": "test"})
        assert (refused.status_code, refused.json()["code"]) == (503, "vector_index_unavailable")


def test_there_is_none_unless_the_settings_name_it() -> None:
    assert VectorIndex.of(Settings()) is None
