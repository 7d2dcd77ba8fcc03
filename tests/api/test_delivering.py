"""What leaves, from the fact to the receiver: three layers, signatures, order, and what is kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest
from standardwebhooks import Webhook

from tests.support.composing import Item, compose
from tests.support.databases import Database
from tests.support.delivery import COMPOSED, SECRET
from tests.support.http import Service, problem, running_service
from tests.support.interleaving import wait_until
from tests.support.templates import Template, make_template, open_gates

OTHER_SECRET = "whsec_" + "QUJD" * 10


@dataclass
class Receiver:
    """An endpoint: what came, and what it answers, and when: where it waits, until it is let go."""

    url: str = ""
    status: int = 204
    waits_at: str = ""
    """The beginning of the paths at which it waits."""
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    lets_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the client goes."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request, *lines = head.decode().split("\r\n")[:-2]
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                self.came.append((headers, body))
                self.arrived.set()
                if request.split(" ")[1].startswith(self.waits_at):
                    await self.lets_go.wait()
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % self.status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """An endpoint on this machine."""
    receiver = Receiver()
    receiver.lets_go.set()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield receiver


@pytest.fixture
async def service(database: Database, owner: asyncpg.Connection) -> AsyncIterator[Service]:
    """A service that delivers, also to this machine."""
    async with running_service(
        database, owner, deliver=True, delivery_allow="127.0.0.1/32", delivery_source="/factory"
    ) as running:
        yield running


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def open_up(service: Service, receiver: Receiver, **members: Any) -> dict[str, Any]:
    """Open the three layers over HTTP: lane, route, gate."""
    order = {"delivery_lane": "live", "reason": "test"}
    assert (await service.admin.put(f"/event-types/{COMPOSED}", json=order)).status_code == 200
    route = {
        "name": "portal",
        "enabled": True,
        "event_type": "iu.template.*",
        "endpoint": receiver.url,
        "secrets": [SECRET],
        "reason": "test",
        **members,
    }
    made = await service.admin.post("/delivery/routes", json=route)
    assert made.status_code == 201, made.text
    live = {"value": ["portal"], "reason": "test"}
    assert (await service.admin.put("/settings/delivery_live_routes", json=live)).status_code == 200
    gate = {"state": "open", "reason": "test"}
    assert (await service.admin.put("/gates/delivery_enabled", json=gate)).status_code == 200
    answer: dict[str, Any] = made.json()
    return answer


async def ended(service: Service, count: int) -> list[dict[str, Any]]:
    """The attempts, the first first, as soon as so many have ended."""

    async def enough() -> bool:
        items = (await service.viewer.get("/delivery/attempts")).json()["items"]
        return sum(item["outcome"] is not None for item in items) >= count

    await wait_until(enough, f"{count} attempts have ended")
    items = (await service.viewer.get("/delivery/attempts")).json()["items"]
    return list(reversed(items))


async def test_a_fact_reaches_whom_it_is_for_signed_and_as_a_cloudevent(
    service: Service, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    route = await open_up(service, receiver, secrets=[OTHER_SECRET, SECRET])
    (composed,) = await compose(owner, Item(template.key))
    (attempt,) = await ended(service, 1)
    (headers, body) = receiver.came[0]
    for secret in (SECRET, OTHER_SECRET):
        Webhook(secret).verify(body, headers)
    event = json.loads(body)
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["webhook-id"] == event["id"] == attempt["message_id"]
    assert event == {
        "specversion": "1.0",
        "id": attempt["message_id"],
        "source": "/factory",
        "type": COMPOSED,
        "subject": str(composed["instance_collection_id"]),
        "time": event["time"],
        "datacontenttype": "application/json",
        "sequence": "0000000001",
        "factorydepth": 1,
        "data": event["data"],
    }
    assert event["data"]["instance_collection_id"] == event["subject"]
    assert (attempt["route_id"], attempt["outcome"], attempt["http_status"]) == (
        route["route_id"],
        "delivered",
        204,
    )


async def test_what_was_sent_can_be_taken_in_again_as_an_event(
    service: Service, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    await open_gates(owner, "event_intake_enabled")
    await open_up(service, receiver)
    await compose(owner, Item(template.key))
    await ended(service, 1)
    headers, body = receiver.came[0]
    taken = await service.producer.post(
        "/events", content=body, headers={"content-type": headers["content-type"]}
    )
    assert taken.status_code == 201, taken.text
    stored = (await service.viewer.get(f"/events/{taken.json()['event_id']}")).json()
    assert stored["depth"] == 1


async def test_a_chain_that_leads_back_here_ends(
    service: Service, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    """Each message is sent back as it came, to the factory that it came from."""
    await open_gates(owner, "event_intake_enabled")
    await open_up(service, receiver, event_type=COMPOSED)
    source = {"signature": "standard_webhooks", "source": "/factory", "secrets": [SECRET]}
    rule = {
        "key": "again",
        "enabled": True,
        "event_type": COMPOSED,
        "template": template.key,
        "suffix": "event.id",
        "actor": "admin-bot",
    }
    for method, path, order in (
        ("PUT", "/event-sources/itself", source),
        ("POST", "/event-routes", rule),
    ):
        made = await service.admin.request(method, path, json={**order, "reason": "test"})
        assert made.status_code == 201, made.text
    await compose(owner, Item(template.key))
    for depth in range(1, 10):
        await ended(service, depth)
        headers, body = receiver.came[-1]
        assert json.loads(body)["factorydepth"] == depth
        back = await service.anonymous.post("/event-sources/itself", content=body, headers=headers)
        assert back.status_code == (201 if depth <= 8 else 422), back.text
    assert back.json() == problem(
        "event_chain_too_deep",
        back.headers["x-request-id"],
        "/event-sources/itself",
        depth=9,
        limit=8,
    )


async def test_what_fails_is_seen_and_what_is_gone_disables_its_route(
    service: Service, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    receiver.status = 500
    await open_up(service, receiver)
    await compose(owner, Item(template.key))
    (failed,) = await ended(service, 1)
    assert (failed["outcome"], failed["http_status"], failed["error"]) == (
        "failed",
        500,
        "answered",
    )
    receiver.status = 410
    await compose(owner, Item(template.key))
    await ended(service, 2)
    (letter,) = (await service.viewer.get("/delivery/dead-letters")).json()["items"]
    assert (letter["http_status"], letter["attempts"]) == (410, 1)
    (route,) = (await service.admin.get("/delivery/routes")).json()["items"]
    assert (route["enabled"], route["disabled_by_answer"] is not None) == (False, True)
    order = {"route": route["route_id"], "dry_run": False, "reason": "test"}
    refused = await service.admin.post("/delivery/dead-letters/replay", json=order)
    assert refused.json() == problem(
        "outbound_route_disabled",
        refused.headers["x-request-id"],
        "/delivery/dead-letters/replay",
        route=route["route_id"],
    )
    receiver.status = 200
    again = {
        "name": "portal",
        "enabled": True,
        "event_type": "*",
        "endpoint": receiver.url,
        "reason": "it is back",
    }
    await service.admin.put(f"/delivery/routes/{route['route_id']}", json=again)
    tried = (
        await service.admin.post("/delivery/dead-letters/replay", json={**order, "dry_run": True})
    ).json()
    assert tried == {"dry_run": True, "letters": 1, "due": 1}
    replayed = (await service.admin.post("/delivery/dead-letters/replay", json=order)).json()
    assert replayed == {"dry_run": False, "letters": 1, "due": 1}
    attempts = await ended(service, 3)
    assert (attempts[-1]["outcome"], attempts[-1]["message_id"]) == (
        "delivered",
        letter["message_id"],
    )
    assert (await service.viewer.get("/delivery/dead-letters")).json()["items"] == []


async def test_a_closing_counts_what_is_on_the_wire_and_nothing_begins_after_it(
    service: Service, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    await open_up(service, receiver)
    receiver.lets_go.clear()
    await compose(owner, Item(template.key))
    await receiver.arrived.wait()
    gate = {"state": "closed", "reason": "enough"}
    closed = (await service.admin.put("/gates/delivery_enabled", json=gate)).json()
    assert (closed["draining"], closed["on_the_wire"]) == (False, 1)
    await compose(owner, Item(template.key))
    receiver.lets_go.set()
    (only,) = await ended(service, 1)
    assert only["outcome"] == "delivered"
    boundary = (await service.viewer.get("/observability/boundary")).json()
    assert (boundary["on_the_wire"], boundary["pending"]) == (0, 1)
    assert len(receiver.came) == 1


@pytest.mark.parametrize("how", ["lane", "setting", "route", "removal"])
async def test_who_changes_a_layer_is_told_when_the_wait_was_cut_off(
    service: Service,
    owner: asyncpg.Connection,
    template: Template,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    monkeypatch.setattr("app.services.outbound_drain.LONGEST_S", 0)
    route = await open_up(service, receiver)
    path = f"/delivery/routes/{route['route_id']}"
    again = {name: route[name] for name in ("name", "enabled", "event_type", "endpoint")}
    changes: dict[str, tuple[str, str, Any]] = {
        "lane": ("PUT", f"/event-types/{COMPOSED}", {"delivery_lane": "delayed"}),
        "setting": ("PUT", "/settings/delivery_live_routes", {"value": []}),
        "route": ("PUT", path, {**again, "enabled": False}),
        "removal": ("DELETE", path, None),
    }
    method, path, order = changes[how]

    async def change() -> httpx.Response:
        if order is None:
            return await service.admin.delete(path, params={"reason": "test"})
        return await service.admin.request(method, path, json={**order, "reason": "test"})

    async with owner.transaction():
        await compose(owner, Item(template.key))
        told = await change()
    if how == "removal":
        assert told.status_code == 202
    else:
        assert (told.status_code, told.json()["draining"]) == (200, True)
        # Asked again it waits again, though nothing is changed by it.
        assert (await change()).json()["draining"] is False


async def test_older_messages_are_sent_by_an_explicit_replay(
    service: Service, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    for _ in range(3):
        await compose(owner, Item(template.key))
    route = await open_up(service, receiver)
    order = {
        "route": route["route_id"],
        "written_from": "2020-01-01T00:00:00Z",
        "written_to": "2120-01-01T00:00:00Z",
        "limit": 2,
        "reason": "test",
    }
    counted = (await service.admin.post("/delivery/replay", json=order)).json()
    assert (counted["messages"], counted["due"]) == (2, 2)
    assert receiver.came == []
    first = (await service.admin.post("/delivery/replay", json={**order, "dry_run": False})).json()
    rest = (
        await service.admin.post(
            "/delivery/replay",
            json={**order, "dry_run": False, "page_token": first["next_page_token"]},
        )
    ).json()
    assert (rest["messages"], rest["due"], rest["next_page_token"]) == (1, 1, None)
    assert {attempt["outcome"] for attempt in await ended(service, 3)} == {"delivered"}
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 3


async def test_nothing_leaves_by_default(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await compose(owner, Item(template.key))
    assert (await service.viewer.get("/observability/boundary")).json() == {
        "internal_only_holds": True,
        "lanes": {"closed": True, "live": []},
        "routes": {"closed": True, "keyed": []},
        "gate": {"closed": True, "delivery_enabled": False, "delivery_live_routes": []},
        "on_the_wire": 0,
        "pending": 0,
    }
    probe = await service.operator.post("/observability/boundary/probe")
    assert probe.json() == {"attempts": 0, "internal_only_holds": True}


async def test_an_outbound_route_is_made_read_changed_and_taken_away(service: Service) -> None:
    order = {
        "name": "portal",
        "event_type": "iu.*",
        "endpoint": "HTTPS://Portal.Example:443/hook",
        "secrets": [SECRET],
        "reason": "test",
    }
    made = await service.admin.post("/delivery/routes", json=order)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    path = made.headers["location"]
    route = made.json()
    assert (route["endpoint"], route["enabled"], route["draining"], route["secret_count"]) == (
        "https://portal.example/hook",
        False,
        False,
        1,
    )
    assert SECRET not in made.text
    assert (await service.admin.get(path)).json() == route
    stale = await service.admin.put(path, json=order, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    del order["secrets"]
    changed = await service.admin.put(path, json={**order, "enabled": True})
    assert (changed.json()["revision"], changed.json()["secret_count"]) == (2, 1)
    assert (await service.admin.get("/delivery/routes")).json()["items"] == [changed.json()]
    twice = await service.admin.post("/delivery/routes", json={**order, "secrets": [SECRET]})
    assert (twice.status_code, twice.json()["code"]) == (409, "already_exists")
    gone = await service.admin.delete(path, params={"reason": "test"})
    assert gone.status_code == 204
    missing = await service.admin.get(path)
    assert missing.json() == problem(
        "outbound_route_not_found",
        missing.headers["x-request-id"],
        path,
        route=route["route_id"],
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"endpoint": "http://portal.example/"}, "/endpoint"),
        ({"endpoint": "https://169.254.169.254/latest"}, "/endpoint"),
        ({"endpoint": "https://user@portal.example/"}, "/endpoint"),
        ({"secrets": ["guess me"]}, "/secrets/0"),
        ({"secrets": []}, "/secrets"),
        ({"event_type": "a*b"}, "/event_type"),
    ],
)
async def test_what_is_wrong_with_an_outbound_route_is_told(
    service: Service, change: dict[str, Any], pointer: str
) -> None:
    order = {
        "name": "portal",
        "event_type": "*",
        "endpoint": "https://portal.example/",
        "secrets": [SECRET],
        "reason": "test",
        **change,
    }
    answer = await service.admin.post("/delivery/routes", json=order)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
