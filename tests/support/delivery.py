"""Messages that may leave, and claiming and ending attempts, as the worker does."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.support.composing import Item, compose
from tests.support.templates import Template, open_gates

COMPOSED = "iu.template.instance_auto_composed"
ROLLED_BACK = "iu.template.instance_rolled_back"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def put_route(
    connection: asyncpg.Connection, name: str = "hr", **members: Any
) -> dict[str, Any]:
    """What fn_iu_outbound_route_put answers."""
    arguments = {
        "route_id": None,
        "expected_revisions": None,
        "route_name": name,
        "enabled": True,
        "pattern": "*",
        "endpoint": f"https://{name}.example/hook",
        "secrets": [SECRET],
        "description": "",
        "reason": "test",
        "actor": "ops-anna",
        "principal": "test",
        "request_id": uuid4(),
        **members,
    }
    if arguments["route_id"] is not None and "secrets" not in members:
        arguments["secrets"] = None
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
    answer: dict[str, Any] = await connection.fetchval(
        f"SELECT iu_core.fn_iu_outbound_route_put({places})", *arguments.values()
    )
    return answer


async def make_route(connection: asyncpg.Connection, name: str = "hr", **members: Any) -> UUID:
    """A route that is enabled, for every type."""
    answer = await put_route(connection, name, **members)
    assert answer["status"] == "ok", answer
    return UUID(answer["route_id"])


async def open_boundary(owner: asyncpg.Connection, *routes: str) -> None:
    """Open all three layers, as the owner: lanes, live routes, gate."""
    await owner.execute("UPDATE iu_core.event_type_registry SET delivery_lane = 'live'")
    await owner.execute(
        """UPDATE iu_core.iu_core_config SET config_value = $1
            WHERE config_key = 'iu_core.delivery_live_routes'""",
        list(routes or ("hr",)),
    )
    await open_gates(owner, "delivery_enabled", "composer_enabled", "auto_instantiate_enabled")


async def facts(connection: asyncpg.Connection, template: Template, count: int = 1) -> list[UUID]:
    """Instances, each of which is a fact with a message."""
    answers = await compose(connection, *(Item(template.key) for _ in range(count)))
    assert {answer["status"] for answer in answers} == {"ok"}
    return [answer["instance_collection_id"] for answer in answers]


async def tell_more(owner: asyncpg.Connection, instances: list[UUID], last: int) -> None:
    """More messages about each instance, from its second to its last, for every route."""
    await owner.execute(
        """WITH next AS (
               INSERT INTO iu_core.event_outbox
                      (subject_id, created_at, sequence, domain, event_type, payload)
               SELECT i.id, now(), n, 'iu', $2, '{}'
                 FROM unnest($1::uuid[]) AS i(id), generate_series(2, $3) AS n
               RETURNING *)
           INSERT INTO iu_core.iu_route_delivery
                  (subject_id, outbox_id, route_id, created_at, due_at, sequence, period,
                   event_type)
           SELECT n.subject_id, n.outbox_id, r.route_id, now(), now(), n.sequence, r.period,
                  n.event_type
             FROM next AS n, iu_core.iu_outbound_route AS r""",
        instances,
        ROLLED_BACK,
        last,
    )


async def lane(owner: asyncpg.Connection, event_type: str, lane: str) -> None:
    """Open or close the lane of one type, as the owner."""
    await owner.execute(
        "UPDATE iu_core.event_type_registry SET delivery_lane = $2 WHERE event_type = $1",
        event_type,
        lane,
    )


async def replay(
    connection: asyncpg.Connection,
    route_id: UUID,
    *,
    delivered: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """What fn_iu_delivery_replay answers for all that was ever written."""
    answer: dict[str, Any] = await connection.fetchval(
        "SELECT iu_core.fn_iu_delivery_replay($1, '-infinity', 'infinity', NULL, $2, NULL, NULL,"
        " 10000, $3, 'test', 'ops-anna', 'test', gen_random_uuid())",
        route_id,
        delivered,
        dry_run,
    )
    return answer


async def claim(
    connection: asyncpg.Connection,
    *,
    most: int = 100,
    per_route: int = 100,
    busy: dict[UUID, int] | None = None,
    lease_s: int = 60,
    worker: str = "test",
) -> list[dict[str, Any]]:
    """What fn_iu_delivery_claim answers."""
    busy = busy or {}
    rows = await connection.fetch(
        "SELECT * FROM iu_core.fn_iu_delivery_claim($1, $2, $3, $4, $5, $6)",
        worker,
        list(busy),
        list(busy.values()),
        per_route,
        most,
        lease_s,
    )
    return [dict(row) for row in rows]


async def finish(
    connection: asyncpg.Connection,
    claimed: list[dict[str, Any]],
    outcome: str = "delivered",
    status: int | None = 200,
    error: str | None = None,
    retry_after_s: int | None = None,
) -> list[str | None]:
    """What has become of the messages, by these attempts."""
    count = len(claimed)
    rows = await connection.fetch(
        "SELECT * FROM iu_core.fn_iu_delivery_finish($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [one["subject_id"] for one in claimed],
        [one["attempt_id"] for one in claimed],
        [outcome] * count,
        [status] * count,
        [error] * count,
        [""] * count,
        ["an answer"] * count,
        [5] * count,
        [retry_after_s] * count,
    )
    return [row["state"] for row in rows]


async def deliveries(owner: asyncpg.Connection) -> Counter[str]:
    """How many there are in each state."""
    rows = await owner.fetch("SELECT state FROM iu_core.iu_route_delivery")
    return Counter(row["state"] for row in rows)
