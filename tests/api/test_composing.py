"""`POST /instances/from-event` and `/instances/bulk`: exact JSON."""

import asyncio
import hashlib
import json
import sys
from types import FrameType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.refusals import CATALOGUE
from tests.support.http import Service, problem
from tests.support.templates import Template, close_gates, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template, the gates of composing closed."""
    return await make_template(owner)


@pytest.fixture
async def gates(owner: asyncpg.Connection) -> None:
    """Both gates of composing, open."""
    await open_gates(owner)


def order(of: Template, **members: Any) -> dict[str, Any]:
    """A request for one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": of.key,
        **members,
    }


async def instances(owner: asyncpg.Connection) -> int:
    """How many instances there are."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log")
    return count


@pytest.mark.usefixtures("gates")
async def test_an_event_composes_an_instance_whose_address_was_known_before(
    service: Service, template: Template
) -> None:
    sent = order(template, suffix="ada", data={"name": "Ada", "n": 1.0})
    key = f"{sent['event_id']}:{template.collection_id}:ada"
    expected = UUID(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest())

    answer = await service.producer.post("/instances/from-event", json=sent)

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/instances/{expected}"
    document = answer.json()
    assert document.pop("composed_at").endswith("Z")
    assert document == {
        "outcome": "composed",
        "instance_collection_id": str(expected),
        "instance_key": "tpl-inst:auto:ada",
        "template_collection_id": str(template.collection_id),
        "template_key": "tpl:wf:onboarding/v1",
        "event_id": sent["event_id"],
        "event_type": "employee.hired",
        "idempotency_key": expected.hex,
        "actor": "producer-bot",
        "emit_mode": "live",
        "pieces_attached": 5,
        "composition_digest": template.composition_digest,
        "digest_matches_template": True,
        "operation_id": None,
        "warnings": [],
    }


@pytest.mark.usefixtures("gates")
async def test_the_same_event_again_is_a_replay_even_when_the_gates_are_closed(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    sent = order(template, data={"b": 1, "a": [1, 2]})
    first = await service.producer.post("/instances/from-event", json=sent)
    await close_gates(owner)
    sent["data"] = {"a": [1.0, 2], "b": 1}
    again = await service.producer.post("/instances/from-event", json=sent)
    assert again.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json() | {"outcome": "idempotent_replay"}


@pytest.mark.usefixtures("gates")
async def test_a_client_that_repeats_its_request_id_still_gets_a_replay(
    service: Service, template: Template
) -> None:
    sent, headers = order(template), {"X-Request-ID": str(uuid4())}
    first = await service.producer.post("/instances/from-event", json=sent, headers=headers)
    again = await service.producer.post("/instances/from-event", json=sent, headers=headers)
    assert first.json()["outcome"] == "composed"
    assert again.json()["outcome"] == "idempotent_replay"


async def test_closed_gates_refuse_and_say_how_they_open(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    sent = order(template)
    answer = await service.producer.post("/instances/from-event", json=sent)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" not in answer.headers
    assert answer.json() == problem(
        "live_gate_closed",
        answer.headers["x-request-id"],
        "/instances/from-event",
        gate="iu_core.auto_instantiate_enabled",
        resolve="/gates/iu_core.auto_instantiate_enabled",
    )
    await open_gates(owner, "auto_instantiate_enabled")
    answer = await service.producer.post("/instances/from-event", json=sent)
    assert answer.json() == problem(
        "composer_gate_closed",
        answer.headers["x-request-id"],
        "/instances/from-event",
        gate="iu_core.composer_enabled",
        resolve="/gates/iu_core.composer_enabled",
    )
    await open_gates(owner)
    composed = await service.producer.post("/instances/from-event", json=sent)
    assert composed.status_code == 201, "a refusal does not consume the key"


@pytest.mark.usefixtures("gates")
async def test_the_same_key_with_other_data_is_a_conflict(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    sent = order(template, data={"name": "Ada"})
    first = (await service.producer.post("/instances/from-event", json=sent)).json()
    answer = await service.producer.post(
        "/instances/from-event", json=sent | {"data": {"name": "Bob"}, "event_type": "x"}
    )
    assert answer.status_code == 422
    assert answer.json() == problem(
        "idempotency_conflict",
        answer.headers["x-request-id"],
        "/instances/from-event",
        fields=["event_type", "data"],
        idempotency_key=first["idempotency_key"],
        instance_collection_id=first["instance_collection_id"],
    )
    assert await instances(owner) == 1


@pytest.mark.usefixtures("gates")
@pytest.mark.parametrize(
    ("members", "code", "extra"),
    [
        ({"emit_mode": "shadow"}, "invalid_emit_mode", {"emit_mode": "shadow"}),
        ({"template": "tpl:no:such"}, "template_collection_not_found", {"template": "tpl:no:such"}),
        ({"actor": "someone-else"}, "actor_not_allowed", {"actor": "someone-else"}),
    ],
)
async def test_what_the_request_says_is_refused_by_name(
    service: Service, template: Template, members: dict[str, Any], code: str, extra: dict[str, Any]
) -> None:
    answer = await service.producer.post("/instances/from-event", json=order(template, **members))
    assert answer.json() == problem(
        code, answer.headers["x-request-id"], "/instances/from-event", **extra
    )
    assert answer.status_code == CATALOGUE[code].status


@pytest.mark.usefixtures("gates")
async def test_all_input_errors_come_at_once_each_with_its_pointer(service: Service) -> None:
    answer = await service.producer.post(
        "/instances/from-event",
        json={"event_id": "nope", "suffix": "a\nb", "data": [], "surprise": 1},
    )
    assert answer.status_code == 422
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == [
        "/data",
        "/event_id",
        "/event_type",
        "/suffix",
        "/surprise",
        "/template",
    ]


async def test_a_dry_run_says_what_would_come_out(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled")
    sent = order(template, emit_mode="dry_run")
    answer = await service.producer.post("/instances/from-event", json=sent)
    assert answer.status_code == 200
    document = answer.json()
    assert (document["outcome"], document["would_be"]) == ("dry_run", "composed")
    assert document["refusal"] is None
    assert document["pieces_attached"] == 5
    assert document["warnings"] == ["live_gate_closed"]
    assert await instances(owner) == 0

    unknown = order(template, emit_mode="dry_run", template="tpl:no:such/v1")
    document = (await service.producer.post("/instances/from-event", json=unknown)).json()
    assert (document["outcome"], document["would_be"]) == ("dry_run", "refused")
    assert document["refusal"] == {
        "code": "template_collection_not_found",
        "detail": CATALOGUE["template_collection_not_found"].meaning,
        "members": {"template": "tpl:no:such/v1"},
    }


@pytest.mark.usefixtures("gates")
async def test_the_same_event_64_times_at_once_is_one_instance_and_63_equal_replays(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    sent = order(template, data={"name": "Ada"})
    answers = await asyncio.gather(
        *(service.producer.post("/instances/from-event", json=sent) for _ in range(64))
    )
    documents = [answer.json() for answer in answers]
    outcomes = [document.pop("outcome") for document in documents]
    assert sorted(outcomes) == ["composed"] + ["idempotent_replay"] * 63
    assert all(document == documents[0] for document in documents)
    assert await instances(owner) == 1


@pytest.mark.usefixtures("gates")
async def test_two_clients_with_one_key_and_other_data_make_one_instance_and_one_conflict(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    sent = order(template)
    answers = await asyncio.gather(
        service.producer.post("/instances/from-event", json=sent | {"data": {"n": 1}}),
        service.producer.post("/instances/from-event", json=sent | {"data": {"n": 2}}),
    )
    codes = sorted(answer.json().get("code", "composed") for answer in answers)
    assert codes == ["composed", "idempotency_conflict"]
    assert await instances(owner) == 1


@pytest.mark.usefixtures("gates")
async def test_another_producers_instance_is_not_shown(
    service: Service, template: Template
) -> None:
    sent = order(template)
    await service.operator.post("/instances/from-event", json=sent)
    answer = await service.producer.post("/instances/from-event", json=sent)
    assert answer.json() == problem(
        "actor_not_allowed", answer.headers["x-request-id"], "/instances/from-event"
    )
    seen = await service.viewer.post("/instances/from-event", json=sent)
    assert seen.json()["actor"] == "operator-bot"


async def test_an_atomic_bulk_with_its_own_gate_window(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    orders = [order(template, suffix=str(number)) for number in range(3)]
    refused = await service.operator.post("/instances/bulk?atomic=true", json=orders)
    assert refused.json()["code"] == "live_gate_closed"
    forbidden = await service.producer.post(
        "/instances/bulk?atomic=true&gate_window=true", json=orders
    )
    assert forbidden.json()["code"] == "forbidden"

    answer = await service.operator.post(
        "/instances/bulk?atomic=true&gate_window=true", json=[*orders, orders[0]]
    )
    assert answer.status_code == 201
    document = answer.json()
    counts = {name: document[name] for name in ("total", "composed", "replayed", "dry_runs")}
    assert counts == {"total": 4, "composed": 3, "replayed": 1, "dry_runs": 0}
    assert {item["operation_id"] for item in document["items"]} == {document["operation_id"]}
    assert await instances(owner) == 3
    alone = await service.operator.post("/instances/from-event", json=order(template))
    assert alone.json()["code"] == "live_gate_closed"


@pytest.mark.usefixtures("gates")
async def test_a_bulk_with_bad_items_keeps_nothing_and_lists_each(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    orders = [
        order(template),
        order(template, template="tpl:no:such"),
        order(template, emit_mode="shadow"),
    ]
    answer = await service.producer.post("/instances/bulk?atomic=true", json=orders)
    assert answer.status_code == 404
    assert answer.json() == problem(
        "template_collection_not_found",
        answer.headers["x-request-id"],
        "/instances/bulk",
        template="tpl:no:such",
        items=[
            {"ordinal": 2, "code": "template_collection_not_found", "template": "tpl:no:such"},
            {"ordinal": 3, "code": "invalid_emit_mode", "emit_mode": "shadow"},
        ],
    )
    assert await instances(owner) == 0


@pytest.mark.usefixtures("gates")
async def test_a_conflict_within_a_bulk_names_the_item_and_no_instance_that_is_not_there(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    one, stored = order(template, suffix="one"), order(template, suffix="stored")
    known = (await service.producer.post("/instances/from-event", json=stored)).json()
    orders = [one, one | {"data": {"n": 2}}, stored | {"data": {"n": 2}}]
    answer = await service.producer.post("/instances/bulk?atomic=true", json=orders)
    assert answer.status_code == 422
    key = answer.json()["idempotency_key"]
    conflict = {"code": "idempotency_conflict", "fields": ["data"]}
    assert answer.json() == problem(
        "idempotency_conflict",
        answer.headers["x-request-id"],
        "/instances/bulk",
        detail="Two items of the bulk have the same event, template and suffix, and different"
        " `fields`. Nothing of it was kept.",
        idempotency_key=key,
        fields=["data"],
        items=[
            conflict | {"ordinal": 2, "idempotency_key": key, "earlier_ordinal": 1},
            conflict
            | {
                "ordinal": 3,
                "idempotency_key": known["idempotency_key"],
                "instance_collection_id": known["instance_collection_id"],
            },
        ],
    )
    assert await instances(owner) == 1


@pytest.mark.usefixtures("gates")
async def test_a_bulk_takes_lines_of_json(service: Service, template: Template) -> None:
    lines = "\n".join(json.dumps(order(template)) for _ in range(3))
    answer = await service.producer.post(
        "/instances/bulk?atomic=true",
        content=lines,
        headers={"content-type": "application/x-ndjson"},
    )
    assert (answer.status_code, answer.json()["composed"]) == (201, 3)


@pytest.mark.usefixtures("gates")
async def test_others_have_their_turns_while_an_atomic_bulk_is_carried_out(
    service: Service, template: Template
) -> None:
    steps = longest = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event == "call" and frame.f_globals.get("__name__", "").startswith("app.")

    async def take_turns() -> None:
        nonlocal steps, longest
        while True:
            steps = 0
            await asyncio.sleep(0)
            longest = max(longest, steps)

    body = json.dumps([order(template) for _ in range(5_000)])
    other = asyncio.create_task(take_turns())
    sys.setprofile(count)  # of this thread, which is the event loop's
    try:
        answer = await service.producer.post(
            "/instances/bulk?atomic=true",
            content=body,
            headers={"content-type": "application/json"},
        )
    finally:
        sys.setprofile(None)
        other.cancel()
    assert answer.status_code == 201, answer.text
    assert longest < 5_000, "calls for each item, and nobody else's turn in between"


@pytest.mark.usefixtures("gates")
async def test_an_atomic_bulk_has_its_limits(service: Service, template: Template) -> None:
    one = order(template)
    many = await service.producer.post("/instances/bulk?atomic=true", json=[one] * 10_001)
    beyond: dict[str, Any] = {"limit": 10_000, "counted": "items"}
    path = "/instances/bulk"
    assert many.json() == problem("too_large", many.headers["x-request-id"], path, **beyond)
    lines = await service.producer.post(
        "/instances/bulk?atomic=true",
        content=(json.dumps(one) + "\n") * 10_001,
        headers={"content-type": "application/x-ndjson"},
    )
    assert lines.json() == problem(
        "too_large", lines.headers["x-request-id"], path, **beyond, line=10_001
    )
    big = order(template, data={"x": "y" * 1024 * 1024})
    large = await service.producer.post("/instances/bulk?atomic=true", json=[big])
    assert large.status_code == 413
    assert large.json()["counted"] == "bytes of one item"
    actors = [order(template, actor=f"producer-{number}") for number in range(65)]
    crowd = await service.producer.post("/instances/bulk?atomic=true", json=actors)
    assert crowd.status_code == 413
    assert crowd.json()["counted"] == "actors in one transaction"
