"""A factory in which something of everything is there, for tests that ask for anything at all."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.support.databases import (
    Database,
    Server,
    clone,
    cloned_database,
    drop_database,
    open_connection,
)
from tests.support.http import make_key
from tests.support.live import live_service
from tests.support.loose_templates import make_loose_template
from tests.support.once import once
from tests.support.operations import reached
from tests.support.templates import open_gates

ACTOR = "iu-core-25000x-bulk"
"""Who does it all: the actor of the OpenAPI document's examples."""

FAMILY = "tpl:wf:onboarding"
LOOSE_FAMILY = "tpl:file:minutes"

GATES = (
    "piece_write",
    "lifecycle",
    "template_authoring",
    "composer",
    "auto_instantiate",
    "event_intake",
    "envelope_refresh",
)

Known = dict[str, list[str]]
"""What is there: ids, keys and tags, by the names of the parameters that take them."""


COPIED = "factory_populated"


@dataclass(frozen=True, slots=True)
class Populated:
    """A service with something of everything in it, and what there is."""

    url: str
    owner: asyncpg.Connection
    known: Known
    keys: dict[str, str]
    """A key of the scopes `producer` and `admin`, which act as ACTOR."""


@asynccontextmanager
async def populated_service(
    server: Server, superuser: asyncpg.Connection
) -> AsyncIterator[Populated]:
    """A service on a socket and a database of its own, a copy of what was made once in the run."""
    facts = server.run_dir / "populated.json"
    with once(facts) as missing:
        if missing:
            await drop_database(superuser, COPIED)  # what a worker left that failed half way
            await clone(superuser, COPIED)
            facts.write_text(json.dumps(await fill(server.database(COPIED))), encoding="utf-8")
    there = json.loads(facts.read_text(encoding="utf-8"))
    async with cloned_database(server, superuser, COPIED) as database:
        owner = await open_connection(database, "owner")
        try:
            with live_service(database) as url:
                yield Populated(url, owner, **there)
        finally:
            await owner.close()


async def fill(database: Database) -> dict[str, Any]:
    """Put something of everything into a migrated database: what is `known`, and the `keys`."""
    owner = await open_connection(database, "owner")
    keys = {
        scope: await make_key(owner, scope, ACTOR, ("iu-core-",)) for scope in ("producer", "admin")
    }
    with live_service(database) as url:
        known = await _populate(owner, url, keys["admin"])
    await owner.close()
    return {"known": known, "keys": keys}


async def _populate(owner: asyncpg.Connection, url: str, admin_key: str) -> Known:
    """Open the gates that are passed so far, and make a little of everything that there is.

    Pieces in each state of life, four versions of a family and a template without one, a plain
    collection, instances, a rollback, a lease and a key. Answers where it all is.
    """
    await open_gates(owner, *(f"{gate}_enabled" for gate in GATES))
    known: Known = {}
    await _make_loose_ends(owner, known)
    headers = {"Authorization": f"Bearer {admin_key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as admin:
        await _make_pieces(admin, known)
        await _make_templates(admin, known)
        await _make_instances(admin, known)
        await _take_events(admin, known)
        await _govern(admin, known)
    return known


def _add(known: Known, name: str, *values: str) -> None:
    known.setdefault(name, []).extend(values)


def _document(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    document: dict[str, Any] = response.json()
    return document


async def _make_loose_ends(owner: asyncpg.Connection, known: Known) -> None:
    """What no operation makes: a template without a version, and a collection that is none."""
    loose = await make_loose_template(owner, LOOSE_FAMILY)
    plain = await owner.fetchval(
        """INSERT INTO iu_core.iu_piece_collection
                  (collection_id, created_at, collection_key, composition_digest)
           VALUES (gen_random_uuid(), now(), 'plain', $1) RETURNING collection_id::text""",
        loose.composition_digest,
    )
    _add(known, "ref", str(loose.collection_id), loose.key.replace("/", "@"))
    _add(known, "collection_id", plain, str(loose.collection_id))
    _add(known, "template_key", "tpl:file:plain/v1", loose.key)


async def _make_pieces(admin: httpx.AsyncClient, known: Known) -> None:
    units: dict[str, str] = {}
    for title in ("draft", "one", "two", "three", "four", "revised", "retired"):
        piece = {
            "media_type": "text/markdown",
            "title": title,
            "body": title,
            "life": "draft" if title == "draft" else "active",
            "axes": {"DIEU-28": "handbook"},
        }
        made = _document(await admin.post("/pieces", json=piece))
        units[title] = made["unit_id"]
        _add(known, "content_digest", made["content_digest"])
    _document(await admin.post(f"/pieces/{units['revised']}/revise", json={"body": "better"}))
    _document(
        await admin.post(f"/pieces/{units['retired']}/lifecycle", json={"to_life": "retired"})
    )
    axes = {"axes": {"DIEU-28": "handbook", "DIEU-32": "x"}, "reason": "test"}
    _document(await admin.put(f"/pieces/{units['one']}/axes", json=axes))
    _add(known, "unit_id", *units.values())
    _add(known, "axis", "DIEU-28")


async def _make_templates(admin: httpx.AsyncClient, known: Known) -> None:
    def piece(role: str) -> dict[str, str]:
        return {"role": role, "media_type": "text/markdown", "title": role, "body": role}

    pieces = [piece(role) for role in ("welcome", "first_week", "questions")]
    made = await admin.post("/templates", json={"family": FAMILY, "title": "T", "pieces": pieces})
    ids = [_document(made)["template_collection_id"]]
    for edit in (
        {"op": "insert", "position": 1, "piece": piece("summary")},
        {"op": "remove", "position": 2},
        {"op": "move", "position": 1, "to": 2},
    ):
        made = await admin.post(
            f"/templates/families/{FAMILY}/versions",
            headers={"If-Match": made.headers["etag"]},
            json={"edits": [edit], "reason": "test"},
        )
        ids.append(_document(made)["template_collection_id"])
    withdrawn = await admin.post(
        f"/templates/{FAMILY}@v4/withdraw",
        headers={"If-Match": made.headers["etag"]},
        json={"reason": "test"},
    )
    _document(withdrawn)
    _add(known, "If-Match", "*", withdrawn.headers["etag"], f"W/{withdrawn.headers['etag']}", '"1"')
    _add(known, "family", FAMILY, LOOSE_FAMILY)
    _add(known, "ref", FAMILY, f"{FAMILY}@v1", f"{FAMILY}@v4", *ids)
    _add(known, "template", *(ref.replace("@", "/") for ref in known["ref"]))


async def _make_instances(admin: httpx.AsyncClient, known: Known) -> None:
    def order(number: int, template: str = FAMILY) -> dict[str, Any]:
        return {
            "event_id": str(UUID(int=number)),
            "event_type": "employee.hired",
            "template": template,
            "suffix": str(number),
            "data": {"number": number},
        }

    async def compose(path: str, document: object) -> dict[str, Any]:
        return _document(await admin.post(f"/instances/{path}", json=document))

    async def plan(**selectors: str) -> dict[str, Any]:
        return _document(await admin.post("/rollback/plan", json={"selectors": selectors}))

    first = await compose("from-event", order(1))
    old = await compose("from-event", order(2, f"{FAMILY}/v1"))
    many = await compose("bulk?atomic=true", [order(3), order(4)])
    started = await compose("bulk", [order(6), order(7, "tpl:no:such")])
    await reached(admin, started, "completed")
    undone = await compose("from-event", order(5))
    planned = await plan(event_id=undone["event_id"])
    applied = {name: planned[name] for name in ("selectors", "plan_digest", "planned_at")}
    _document(await admin.post("/rollback/apply", json={**applied, "reason": "test"}))
    standing = await plan(actor=ACTOR)
    for instance in (first, old, *many["items"], undone):
        _add(known, "instance_id", instance["instance_collection_id"])
        _add(known, "event_id", instance["event_id"])
    _add(known, "operation_id", many["operation_id"], started["operation_id"])
    _add(known, "operation", started["operation_id"])
    _add(known, "actor", ACTOR)
    _add(known, "plan_digest", standing["plan_digest"])
    _add(known, "planned_at", standing["planned_at"])


async def _take_events(admin: httpx.AsyncClient, known: Known) -> None:
    """Two routes, of which one is removed, a source, and events: composed, refused, not taken."""
    type_, source = "employee.hired", "github"
    schema = {"type": "object", "required": ["number"]}
    _document(
        await admin.put(f"/event-types/{type_}", json={"data_schema": schema, "reason": "test"})
    )
    routes = [
        _document(
            await admin.post(
                "/event-routes",
                json={
                    "key": key,
                    "enabled": True,
                    "event_type": type_,
                    "filter": f"data.number < {most}",
                    "suffix": "event.id",
                    "template": template,
                    "reason": "test",
                },
            )
        )
        for key, most, template in (("all", 10, FAMILY), ("few", 2, "tpl:no:such"))
    ]
    for number in (1, 2):
        content = {
            "specversion": "1.0",
            "id": str(number),
            "source": "/hr",
            "type": type_,
            "data": {"number": number},
        }
        taken = await admin.post(
            "/events", json=content, headers={"Content-Type": "application/cloudevents+json"}
        )
        _add(known, "event_id", _document(taken)["event_id"])
    few = f"/event-routes/{routes[1]['route_id']}"
    assert (await admin.delete(few, params={"reason": "test"})).is_success
    order = {"signature": "github", "secrets": ["a secret of theirs"], "source": "/x"}
    _document(await admin.put(f"/event-sources/{source}", json={**order, "reason": "test"}))
    _add(known, "route_id", *(route["route_id"] for route in routes))
    _add(known, "event_type", type_, "iu.template.instance_rolled_back")
    _add(known, "name", source)


async def _govern(admin: httpx.AsyncClient, known: Known) -> None:
    gate = "iu_core.vector_sync_enabled"
    lease = {"seconds": 3600, "reason": "test"}
    leased = _document(await admin.post(f"/gates/{gate}/leases", json=lease))
    setting = {"value": "refuse", "reason": "test"}
    _document(await admin.put("/settings/unknown_event_types", json=setting))
    key = {"principal": "p", "scope": "viewer", "actor": "viewer-bot"}
    _add(known, "key_id", _document(await admin.post("/api-keys", json=key))["key_id"])
    for reason in ("before", "after"):
        taken = await admin.post("/observability/snapshots", json={"reason": reason})
        _add(known, "snapshot_id", _document(taken)["snapshot_id"])
    _add(known, "lease_id", leased["lease_id"])
    _add(known, "gate", gate, "composer_enabled", "iu_core.retention_enabled")
    _add(known, "target", "delivery_attempts", "stored_events")
    _add(known, "setting", "unknown_event_types", "iu_core.delivery_live_routes")
    _add(known, "code", "template_superseded", "invalid_input")
