"""What event routes, types and sources are refused with where the service did not look first."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support.events import put_route

WHERE = 'should be {"header"} or {"expression"}, with a text of 1 to 2000'


def wrong(answer: dict[str, Any]) -> list[str]:
    """The pointers of an invalid_input answer; none where it is taken."""
    assert answer["status"] in ("ok", "invalid_input")
    return [error["pointer"] for error in answer.get("errors", ())]


async def put(connection: asyncpg.Connection, function: str, *arguments: Any) -> dict[str, Any]:
    """What it answers to the arguments, and to whoever is accountable."""
    everything = (*arguments, "ops-anna", "test", uuid4())
    places = ", ".join(f"${number}" for number in range(1, len(everything) + 1))
    answer: dict[str, Any] = await connection.fetchval(
        f"SELECT iu_core.{function}({places})", *everything
    )
    return answer


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({}, []),
        ({"mapping": "{}"}, []),
        ({"mapping": '{"a": "data.a", "b": "1"}'}, []),
        ({"mapping": '{"a": 1}'}, ["/mapping"]),
        ({"mapping": '{"a": "1", "b": null}'}, ["/mapping"]),
        ({"mapping": '{"a": ""}'}, ["/mapping"]),
        ({"mapping": '{"a": "%s"}' % ("x" * 2001)}, ["/mapping"]),
        ({"mapping": "[]"}, ["/mapping"]),
        ({"mapping": '"a"'}, ["/mapping"]),
        ({"filter": "", "suffix": "x" * 2001}, ["/filter", "/suffix"]),
        ({"pattern": "a*b", "emit_mode": "none"}, ["/event_type", "/emit_mode"]),
        ({"template": "onboarding", "route_actor": "HR"}, ["/template", "/actor"]),
    ],
)
async def test_what_is_no_route_is_told(
    app_conn: asyncpg.Connection, members: dict[str, Any], pointers: list[str]
) -> None:
    route = {"template": "tpl:wf:onboarding", **members}
    assert wrong(await put_route(app_conn, **route)) == pointers


@pytest.mark.parametrize(
    ("schema", "pointers"),
    [(None, []), ("{}", []), ("5", ["/data_schema"]), ("true", ["/data_schema"])],
)
async def test_what_is_no_type_is_told(
    app_conn: asyncpg.Connection, schema: str | None, pointers: list[str]
) -> None:
    answer = await put(app_conn, "fn_iu_event_type_put", "a.b", "delayed", schema, "", "test")
    assert wrong(answer) == pointers


@pytest.mark.parametrize(
    ("where", "is_right"),
    [
        (None, True),
        ('{"header": "x-id"}', True),
        ('{"expression": "body.id"}', True),
        ("{}", False),
        ("5", False),
        ('["header"]', False),
        ('{"header": 5}', False),
        ('{"header": ""}', False),
        ('{"expression": "%s"}' % ("x" * 2001), False),
        ('{"cookie": "a"}', False),
        ('{"header": "a", "expression": "b"}', False),
    ],
)
async def test_where_a_source_says_what_its_events_are(
    app_conn: asyncpg.Connection, where: str | None, is_right: bool
) -> None:
    answer = await put(
        app_conn, "fn_iu_event_source_put", "hr", True, "github", None, ["0123456789abcdef"],
        "/hr", where, where, "hr-bot", "", "test",
    )  # fmt: skip
    assert wrong(answer) == ([] if is_right else ["/id", "/type"])
