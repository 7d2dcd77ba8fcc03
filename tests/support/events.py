"""Events and routes for tests below HTTP: judged as the service does, or as a test likes."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from app.canonical_json import canonical_json
from app.db.event_intake import FIRE, TAKE, EventItem, Firing, firing_again, taking
from app.events.identity import event_id
from tests.support.templates import Template

SOURCE = "/hr/eu"
TYPE = "hr.employee.hired"


async def make_route(
    connection: asyncpg.Connection,
    template: Template | str,
    key: str = "onboarding",
    **members: Any,
) -> UUID:
    """A route of the type TYPE that takes every event, through the service's function."""
    answer = await put_route(connection, template, key, **members)
    assert answer["status"] == "ok", answer
    return UUID(answer["route_id"])


async def put_route(
    connection: asyncpg.Connection,
    template: Template | str,
    key: str = "onboarding",
    **members: Any,
) -> dict[str, Any]:
    """What fn_iu_event_route_put answers."""
    arguments = {
        "route_id": None,
        "expected_revisions": None,
        "route_key": key,
        "enabled": True,
        "pattern": TYPE,
        "filter": None,
        "template": template if isinstance(template, str) else template.key,
        "suffix": None,
        "mapping": None,
        "emit_mode": "live",
        "route_actor": "hr-bot",
        "allowed_actors": None,
        "description": "",
        "reason": "test",
        "actor": "ops-anna",
        "principal": "test",
        "request_id": uuid4(),
        **members,
    }
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
    answer: dict[str, Any] = await connection.fetchval(
        f"SELECT iu_core.fn_iu_event_route_put({places})", *arguments.values()
    )
    return answer


async def edition(connection: asyncpg.Connection) -> int:
    """The edition of the rules that is in force."""
    revision: int = await connection.fetchval("SELECT revision FROM iu_core.v_iu_event_rules")
    return revision


def a_firing(route_id: UUID, template: Template | str, **members: Any) -> Firing:
    """A route that an event takes, with no parameters."""
    firing = Firing(
        route_id=route_id,
        reason="route onboarding",
        template=template if isinstance(template, str) else template.key,
        suffix="",
        actor="hr-bot",
        emit_mode="live",
        data="{}",
        schema_digest=None,
        data_errors=None,
        allowed_actors=None,
        principal="test",
    )
    return replace(firing, **members)


def an_event(
    revision: int,
    *firings: Firing,
    cloudevent_id: str | None = None,
    data: Any = None,
    **members: Any,
) -> EventItem:
    """An event that was judged by an edition of the rules; a new one unless an id is named."""
    cloudevent_id = cloudevent_id or f"hire-{uuid4()}"
    content = {"id": cloudevent_id, "source": SOURCE, "type": TYPE, "data": data or {}}
    event = EventItem(
        rules_revision=revision,
        event_id=event_id(SOURCE, cloudevent_id),
        source=SOURCE,
        cloudevent_id=cloudevent_id,
        event_type=TYPE,
        depth=0,
        content=canonical_json(content),
        travelled='{"specversion":"1.0"}',
        is_inert=False,
        channel="http",
        not_matched=None,
        refusal=None,
        actor="hr",
        allowed_actors=None,
        principal="test",
        request_id=uuid4(),
        firings=firings,
        at_once=len(firings),
    )
    return replace(event, **members)


async def take(connection: asyncpg.Connection, *events: EventItem) -> list[dict[str, Any]]:
    """The answers of one call."""
    rows = await connection.fetch(TAKE, *taking(events))
    return [dict(row) for row in rows]


async def fire(
    connection: asyncpg.Connection,
    revision: int,
    *firings: tuple[UUID, Firing],
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """The answers of one call that fires routes of stored events again."""
    request_ids = [uuid4() for _ in firings]
    rows = await connection.fetch(
        FIRE, *firing_again(revision, firings, request_ids, dry_run=dry_run)
    )
    return [dict(row) for row in rows]
