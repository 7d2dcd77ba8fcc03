"""Operations over HTTP: started, read, listed, halted, cancelled, resumed, tried again."""

import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.http import Service, client_of, make_key, problem
from tests.support.operations import counted, items, order, reached, read, start
from tests.support.templates import Template, close_gates, make_template, open_gates

REASON = {"reason": "test"}


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template, the gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def instances(owner: asyncpg.Connection, operation: dict[str, Any]) -> int:
    count: int = await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log WHERE operation_id = $1",
        UUID(operation["operation_id"]),
    )
    return count


async def test_a_bulk_becomes_an_operation_that_composes_its_items(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    orders = [order(template, suffix=str(number)) for number in range(450)]
    started = await start(service.producer, orders)
    assert (started["state"], counted(started)) == ("running", {"not_attempted": 450})

    done = await reached(service.producer, started, "completed")
    assert done["finished_at"] is not None
    expected = started | {"state": "completed", "composed": 450, "not_attempted": 0}
    changing = {name: done[name] for name in ("updated_at", "finished_at", "revision")}
    assert done == expected | changing
    assert done["revision"] > started["revision"]
    assert {name: done[name] for name in ("kind", "actor", "reason", "halted_code")} == {
        "kind": "instantiate",
        "actor": "producer-bot",
        "reason": "",
        "halted_code": None,
    }
    assert await instances(owner, done) == 450
    found = await items(service.producer, done, limit=200)
    assert [item["ordinal"] for item in found] == list(range(1, 451))
    attempted_at = found[0].pop("attempted_at")
    assert attempted_at.endswith("Z")
    key = f"{orders[0]['event_id']}:{template.collection_id}:0"
    assert found[0] == {
        "ordinal": 1,
        "outcome": "composed",
        "instance_collection_id": str(UUID(hashlib.md5(key.encode()).hexdigest())),
        "code": None,
        "details": None,
        "event_id": orders[0]["event_id"],
        "event_type": "employee.hired",
        "template": template.key,
        "suffix": "0",
        "actor": "producer-bot",
        "emit_mode": "live",
    }


async def test_every_item_has_an_outcome_of_its_own(service: Service, template: Template) -> None:
    known = order(template, data={"n": 1})
    first = await service.producer.post("/instances/from-event", json=known)
    orders = [
        order(template),
        known,
        known | {"data": {"n": 2}},
        order(template, template="tpl:no:such"),
        order(template, emit_mode="shadow"),
        order(template, emit_mode="dry_run"),
        order(template, emit_mode="dry_run", template="tpl:no:such"),
    ]
    done = await reached(service.producer, await start(service.producer, orders), "completed")
    assert counted(done) == {"composed": 1, "replayed": 1, "dry_runs": 2, "refused": 3}
    found = await items(service.producer, done)
    assert [(item["outcome"], item["code"]) for item in found] == [
        ("composed", None),
        ("replayed", None),
        ("refused", "idempotency_conflict"),
        ("refused", "template_collection_not_found"),
        ("refused", "invalid_emit_mode"),
        ("dry_run", None),
        ("dry_run", "template_collection_not_found"),
    ]
    assert found[1]["instance_collection_id"] == first.json()["instance_collection_id"]
    assert found[3]["details"] == {"template": "tpl:no:such"}
    refused = await items(service.producer, done, outcome="refused", limit=2)
    assert [item["ordinal"] for item in refused] == [3, 4, 5]


async def test_lines_become_an_operation_too(service: Service, template: Template) -> None:
    for media_type in ("application/x-ndjson", "application/jsonl"):
        lines = "\n\n".join(json.dumps(order(template)) for _ in range(3))
        answer = await service.producer.post(
            "/instances/bulk?atomic=false",
            content=lines,
            headers={"content-type": media_type},
        )
        assert answer.status_code == 202
        done = await reached(service.producer, answer.json(), "completed")
        assert counted(done) == {"composed": 3}


async def test_an_idempotency_key_brings_back_the_same_operation(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    orders = [order(template, data={"a": 1, "b": [1]}), order(template)]
    key = {"Idempotency-Key": "import of March"}
    started = await start(service.producer, orders, **key)
    principal = started["principal"]
    identity = hashlib.md5(f"{principal}\nimport of March".encode()).hexdigest()
    assert started["operation_id"] == str(UUID(identity))
    done = await reached(service.producer, started, "completed")

    await close_gates(owner)
    orders[0]["data"] = {"b": [1.0], "a": 1}
    again = await service.producer.post("/instances/bulk", json=orders, headers=key)
    assert (again.status_code, again.json()) == (202, done)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == f"/operations/{started['operation_id']}"

    other = await service.producer.post("/instances/bulk", json=orders[:1], headers=key)
    assert other.status_code == 422
    assert other.json() == problem(
        "idempotency_conflict",
        other.headers["x-request-id"],
        "/instances/bulk",
        fields=["body"],
        operation_id=started["operation_id"],
    )
    elsewhere = await start(service.operator, orders[:1], **key)
    assert elsewhere["operation_id"] != started["operation_id"], "a key is its principal's"


@pytest.mark.parametrize("key", [b"", b"k" * 201, "ü".encode()])
async def test_an_idempotency_key_that_is_none(
    service: Service, template: Template, key: bytes
) -> None:
    answer = await service.producer.post(
        "/instances/bulk", json=[order(template)], headers={b"Idempotency-Key": key}
    )
    assert answer.status_code == 422
    assert [(error["location"], error["pointer"]) for error in answer.json()["errors"]] == [
        ("header", "/idempotency-key")
    ]


async def test_what_an_operation_is_not_started_for(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    one = order(template)
    window = await service.operator.post("/instances/bulk?gate_window=true", json=[one])
    assert window.json() == problem(
        "invalid_input",
        window.headers["x-request-id"],
        "/instances/bulk",
        errors=[
            {
                "location": "query",
                "pointer": "/gate_window",
                "rule": "value_error",
                "detail": "goes with atomic=true: an operation passes the gates as they are",
            }
        ],
    )
    foreign = await service.producer.post(
        "/instances/bulk", json=[one, order(template, actor="somebody-else")]
    )
    assert foreign.json() == problem(
        "actor_not_allowed", foreign.headers["x-request-id"], "/instances/bulk",
        actor="somebody-else",
    )  # fmt: skip
    empty = await service.producer.post("/instances/bulk", json=[])
    assert [error["rule"] for error in empty.json()["errors"]] == ["too_short"]
    line = json.dumps(one).encode() + b"\n"
    many = await service.producer.post(
        "/instances/bulk",
        content=line * 100_001,
        headers={"content-type": "application/x-ndjson"},
    )
    assert many.json() == problem(
        "too_large",
        many.headers["x-request-id"],
        "/instances/bulk",
        limit=100_000,
        counted="items",
        line=100_001,
    )
    broken = await service.producer.post(
        "/instances/bulk",
        content=line * 2 + b'{"event_id": \n' + line,
        headers={"content-type": "application/x-ndjson"},
    )
    assert (broken.status_code, broken.json()["errors"]) == (
        400,
        [
            {
                "location": "body",
                "pointer": "/2",
                "rule": "json_invalid",
                "detail": "Expecting value, at line 3 column 14",
                "line": 3,
            }
        ],
    )
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_operation") == 0


async def test_a_closed_gate_halts_it_and_resumed_it_goes_on(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    started = await start(service.producer, [order(template) for _ in range(300)])
    halted = await reached(service.producer, started, "halted")
    assert counted(halted) == {"not_attempted": 300}
    assert halted["halted_code"] == "live_gate_closed"
    assert halted["halted_details"] == {"gate": "iu_core.auto_instantiate_enabled"}
    assert halted["finished_at"] is None
    found = await items(service.producer, halted, outcome="not_attempted", limit=200)
    assert len(found) == 300

    path = f"/operations/{started['operation_id']}/resume"
    resumed = await service.producer.post(path, json=REASON)
    assert resumed.status_code == 200
    assert (resumed.json()["state"], resumed.json()["halted_code"]) == ("running", None)
    assert resumed.json()["changed_by"] == "producer-bot"
    assert resumed.json()["change_reason"] == "test"
    assert (await reached(service.producer, started, "halted"))["halted_code"] is not None

    await open_gates(owner)
    await service.producer.post(path, json=REASON)
    done = await reached(service.producer, started, "completed")
    assert counted(done) == {"composed": 300}
    again = await service.producer.post(path, json=REASON)
    assert again.status_code == 409
    assert again.json() == problem(
        "operation_state", again.headers["x-request-id"], path, state="completed", allowed=[]
    )


async def test_cancelled_it_keeps_what_was_done_and_leaves_the_rest(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    started = await start(service.producer, [order(template) for _ in range(3)])
    await reached(service.producer, started, "halted")
    path = f"/operations/{started['operation_id']}"
    cancelled = await service.producer.post(f"{path}/cancel", json={"reason": "wrong list"})
    assert cancelled.status_code == 200
    document = cancelled.json()
    assert (document["state"], counted(document)) == ("cancelled", {"not_attempted": 3})
    assert document["finished_at"] is not None
    assert document["change_reason"] == "wrong list"
    assert (await service.producer.post(f"{path}/cancel", json=REASON)).json() == document
    await open_gates(owner)
    for step in ("resume", "retry-failed"):
        answer = await service.producer.post(f"{path}/{step}", json=REASON)
        assert answer.json() == problem(
            "operation_state",
            answer.headers["x-request-id"],
            f"{path}/{step}",
            state="cancelled",
            allowed=[],
        )
    assert await instances(owner, started) == 0


async def test_what_was_refused_is_tried_again_after_its_cause_is_gone(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    orders = [order(template), order(template, template="tpl:late:comer")]
    started = await start(service.producer, orders)
    done = await reached(service.producer, started, "completed")
    assert counted(done) == {"composed": 1, "refused": 1}

    await make_template(owner, family="tpl:late:comer")
    path = f"/operations/{started['operation_id']}/retry-failed"
    retried = await service.producer.post(path, json=REASON)
    assert (retried.status_code, counted(retried.json())) == (
        200,
        {"composed": 1, "not_attempted": 1},
    )
    done = await reached(service.producer, started, "completed")
    assert counted(done) == {"composed": 2}
    again = await service.producer.post(path, json=REASON)
    assert (again.status_code, again.json()["state"]) == (200, "completed"), "there is nothing"


async def test_who_may_see_and_change_an_operation(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    started = await start(service.producer, [order(template)])
    await reached(service.producer, started, "halted")
    path = f"/operations/{started['operation_id']}"
    stranger = client_of(service.app, await make_key(owner, "producer", "stranger", ("stranger-",)))
    for method, place in (("GET", ""), ("GET", "/items"), ("GET", "/stream")):
        answer = await stranger.request(method, path + place)
        assert answer.json() == problem(
            "actor_not_allowed", answer.headers["x-request-id"], path + place
        )
    for step in ("cancel", "resume", "retry-failed"):
        for client in (stranger, service.viewer):
            answer = await client.post(f"{path}/{step}", json=REASON)
            assert answer.json() == problem(
                "actor_not_allowed",
                answer.headers["x-request-id"],
                f"{path}/{step}",
                actor="producer-bot",
            )
    assert (await stranger.get("/operations")).json() == {"items": [], "next_page_token": None}
    assert (await read(service.viewer, started))["state"] == "halted"
    assert (await service.operator.post(f"{path}/cancel", json=REASON)).status_code == 200
    await stranger.aclose()


async def test_an_operation_that_is_not_there(service: Service) -> None:
    path = f"/operations/{uuid4()}"
    for method, place in (
        ("GET", ""),
        ("GET", "/items"),
        ("GET", "/stream"),
        ("POST", "/cancel"),
        ("POST", "/resume"),
        ("POST", "/retry-failed"),
    ):
        answer = await service.admin.request(
            method, path + place, json=REASON if method == "POST" else None
        )
        assert answer.status_code == 404
        assert answer.json() == problem(
            "operation_not_found", answer.headers["x-request-id"], path + place
        )


async def test_operations_are_listed_newest_first_by_kind_state_and_actor(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    started = [await start(service.producer, [order(template)]) for _ in range(3)]
    done = [await reached(service.producer, each, "completed") for each in started]
    await close_gates(owner)
    other = await start(service.operator, [order(template)])
    halted = await reached(service.operator, other, "halted")

    first = (await service.viewer.get("/operations?limit=2")).json()
    second = (
        await service.viewer.get(f"/operations?limit=2&page_token={first['next_page_token']}")
    ).json()
    assert [*first["items"], *second["items"]] == [halted, *reversed(done)]
    assert second["next_page_token"] is None

    async def found(client: Any, **params: Any) -> list[dict[str, Any]]:
        answer = await client.get("/operations", params=params)
        assert answer.status_code == 200
        listed: list[dict[str, Any]] = answer.json()["items"]
        return listed

    assert await found(service.producer) == list(reversed(done))
    assert await found(service.viewer, state="halted") == [halted]
    assert await found(service.viewer, actor="producer-bot") == list(reversed(done))
    assert await found(service.viewer, kind="rollback") == []
    assert len(await found(service.viewer, kind="instantiate")) == 4
    refused = await service.producer.get("/operations?actor=operator-bot")
    assert refused.json() == problem(
        "actor_not_allowed", refused.headers["x-request-id"], "/operations", actor="operator-bot"
    )


async def test_outcomes_of_operations_are_counted_in_the_metrics(
    service: Service, template: Template
) -> None:
    known = order(template)
    orders = [known, known, order(template, emit_mode="dry_run"), order(template)]
    await reached(service.producer, await start(service.producer, orders), "completed")
    told = (await service.anonymous.get("/metrics")).text
    for outcome, times in (("composed", 2), ("idempotent_replay", 1), ("dry_run", 1)):
        assert f'factory_outcomes_total{{outcome="{outcome}"}} {times}.0' in told
