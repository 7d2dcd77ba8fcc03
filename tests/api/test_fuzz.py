"""Hostile bodies, addresses and headers at random: each gets a typed answer, and leaves nothing.

The data is the same in every run; FACTORY_TEST_SEED makes it other data. What schemathesis tries
is near to the document; this is far from it.
"""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from app.refusals import CATALOGUE
from tests.support.examples import ENDLESS
from tests.support.hostile import HEADER_VALUES, queries, segments, spoilt_bodies
from tests.support.populated import ACTOR, FAMILY, Populated

SEED = int(os.environ.get("FACTORY_TEST_SEED", "20250601"))
DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8")
)

PIECE = {"media_type": "text/markdown", "title": "T", "body": "B", "axes": {"DIEU-28": "x"}}
ORDERS: dict[str, dict[str, Any]] = {
    "/instances/from-event": {
        "event_id": str(UUID(int=77)),
        "event_type": "employee.hired",
        "template": FAMILY,
        "suffix": "s",
        "actor": ACTOR,
        "emit_mode": "live",
        "reason": "r",
        "data": {"name": "Ada", "list": [{"n": 1}, {}]},
        "require_current": True,
    },
    "/pieces": {**PIECE, "life": "draft", "actor": ACTOR},
    "/templates": {
        "family": "tpl:wf:fuzz",
        "title": "T",
        "description": "D",
        "pieces": [{"role": "one", **PIECE}, {"role": "two", **PIECE, "body": "C"}],
        "reason": "r",
        "actor": ACTOR,
    },
    f"/templates/families/{FAMILY}/versions": {
        "edits": [
            {"op": "insert", "position": 1, "piece": {"role": "one", **PIECE}},
            {"op": "move", "position": 2, "to": 3},
        ],
        "dry_run": False,
        "reason": "r",
        "actor": ACTOR,
    },
    "/rollback/plan": {
        "selectors": {
            "actor": ACTOR,
            "operation_id": str(UUID(int=5)),
            "event_id": str(UUID(int=1)),
            "template": FAMILY,
            "composed_from": "2025-06-01T00:00:00Z",
            "composed_to": "2125-06-01T00:00:00Z",
        }
    },
}
READS: dict[str, tuple[str, ...]] = {
    path: tuple(
        parameter["name"]
        for parameter in operations["get"].get("parameters", ())
        if parameter["in"] == "query"
    )
    for path, operations in DOCUMENT["paths"].items()
    if "get" in operations and operations["get"]["operationId"] != ENDLESS
}

at_random = settings(
    max_examples=60,
    deadline=None,
    database=None,
    # The world of a test is the same for all of its examples.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(slots=True)
class World:
    """A populated service, its database, and what was in it when somebody looked last."""

    client: httpx.AsyncClient
    owner: asyncpg.Connection
    look: str
    contents: dict[str, tuple[int, str]]

    async def now(self) -> dict[str, tuple[int, str]]:
        """How many rows each table has, and a digest over them."""
        return {name: (rows, digest) for name, rows, digest in await self.owner.fetch(self.look)}

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer is typed, and has changed nothing if it is a refusal."""
        response = await self.client.send(request)
        if response.is_success:
            self.contents = await self.now()
        else:
            assert_refusal(response)
            assert await self.now() == self.contents, "it was refused, and left something"
        return response


def assert_refusal(response: httpx.Response) -> None:
    """A problem document of the catalogue, and no fault of the service."""
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    spec = CATALOGUE[document["code"]]
    assert document["status"] == response.status_code
    assert response.status_code in spec.statuses
    assert document["request_id"] == response.headers["x-request-id"]
    if spec.code == "invalid_input":
        assert all(error["detail"] for error in document["errors"])
        assert document["errors"], document["detail"]


@pytest.fixture
async def world(populated: Populated) -> AsyncIterator[World]:
    """A service with something of everything in it."""
    print(f"FACTORY_TEST_SEED={SEED}")
    # Refusals are recorded, and a minute later the service seals by itself what was.
    tables = await populated.owner.fetch(
        """SELECT c.relname FROM pg_class AS c
            WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind = 'r'
              AND c.relname NOT IN ('iu_command_record', 'iu_audit_segment', 'iu_audit_chain')"""
    )
    look = " UNION ALL ".join(
        f"SELECT '{name}', count(*), md5(string_agg(t::text, '|' ORDER BY t::text))"
        f" FROM iu_core.{name} AS t"
        for (name,) in tables
    )
    headers = {"Authorization": f"Bearer {populated.keys['admin']}"}
    async with httpx.AsyncClient(base_url=populated.url, headers=headers, timeout=30) as client:
        world = World(client, populated.owner, look, {})
        world.contents = await world.now()
        yield world


@pytest.mark.parametrize("path", ORDERS)
async def test_an_order_that_is_taken_is_taken_whole(path: str, world: World) -> None:
    """The orders that are spoilt below are good ones."""
    request = world.client.build_request("POST", path, json=ORDERS[path], headers={"If-Match": "*"})
    response = await world.send(request)
    assert response.is_success, response.text


@pytest.mark.parametrize("path", ORDERS)
@seed(SEED)
@at_random
@given(data=st.data())
async def test_a_spoilt_body_gets_a_typed_answer(
    path: str, world: World, data: st.DataObject
) -> None:
    body = data.draw(spoilt_bodies(ORDERS[path]))
    headers = {"content-type": "application/json", "if-match": "*"}
    await world.send(world.client.build_request("POST", path, content=body, headers=headers))


@seed(SEED)
@settings(at_random, max_examples=180)
@given(data=st.data())
async def test_a_hostile_address_gets_a_typed_answer(world: World, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(READS)))
    names = READS[path]
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + data.draw(segments()) + rest.partition("}")[2]
    target = f"{path}?{data.draw(queries(names))}" if data.draw(st.booleans()) else path
    url = world.client.base_url.copy_with(raw_path=target.encode("ascii"))
    request = httpx.Request("GET", url, headers={**world.client.headers, "accept": "*/*"})
    await world.send(request)


@seed(SEED)
@at_random
@given(
    name=st.sampled_from(
        (
            "accept",
            "authorization",
            "content-encoding",
            "content-type",
            "expect",
            "idempotency-key",
            "if-match",
            "origin",
            "x-request-id",
        )
    ),
    value=HEADER_VALUES,
)
async def test_a_hostile_header_gets_a_typed_answer(world: World, name: str, value: bytes) -> None:
    named = name.encode()
    others = [header for header in world.client.headers.raw if header[0].lower() != named]
    order = {"edits": [{"op": "remove", "position": 9999}]}
    request = httpx.Request(
        "POST",
        world.client.base_url.join(f"/templates/families/{FAMILY}/versions"),
        headers=[*others, (named, value)],
        json=order,
    )
    await world.send(request)
