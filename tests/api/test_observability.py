"""`GET /observability/…`: exact JSON."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import app as program
from app.refusals.gates import GATE_KEYS
from tests.support.composing import Item, compose, compose_one
from tests.support.databases import Connect
from tests.support.http import Service
from tests.support.interleaving import wait_until
from tests.support.loose_templates import make_loose_template
from tests.support.rollback import edit
from tests.support.templates import Template, close_gates, make_template, open_gates

EMPTY = hashlib.sha256(b"{}").hexdigest()


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """The first version of a family; the gates of composing are open."""
    await open_gates(owner)
    return await make_template(owner)


def in_z(moment: datetime) -> str:
    """RFC 3339 in UTC, as the service writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def read(service: Service, path: str, **filters: Any) -> Any:
    """The document at `/observability/<path>`, as a viewer sees it."""
    answer = await service.viewer.get(f"/observability/{path}", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def everything(service: Service, path: str, **filters: Any) -> list[dict[str, Any]]:
    """The items of all pages."""
    page = await read(service, path, **filters)
    items: list[dict[str, Any]] = page["items"]
    while page["next_page_token"] is not None:
        page = await read(service, path, **filters, page_token=page["next_page_token"])
        items += page["items"]
    return items


@pytest.mark.parametrize(
    "path", ["templates", "events", "summary", "integrity", "refusals", "overview"]
)
async def test_a_producer_does_not_look_after_the_factory(service: Service, path: str) -> None:
    answer = await service.producer.get(f"/observability/{path}")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    anonymous = await service.anonymous.get(f"/observability/{path}")
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "unauthenticated")


async def test_templates_in_numbers(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:report")
    await compose(
        owner, Item(template.key), Item(template.key), Item(template.key, emit_mode="dry_run")
    )
    document = await read(service, "templates", family="tpl:wf:onboarding")
    assert document == {
        "items": [
            {
                "template_key": template.key,
                "family": "tpl:wf:onboarding",
                "version": "v1",
                "status": "current",
                "instances": 2,
                "matches": 2,
                "diverges": 0,
                "template_without_version": False,
                "family_chain_length": 1,
                "digest_drift_from_previous": None,
                "dry_runs": 1,
                "template_collection_id": str(template.collection_id),
                "composition_digest": template.composition_digest,
                "piece_count": 5,
            }
        ],
        "next_page_token": None,
    }
    keys = [item["template_key"] for item in await everything(service, "templates", limit=1)]
    assert keys == [other.key, template.key]
    assert await everything(service, "templates", family="tpl:no:such") == []


async def test_the_event_log_row_by_row(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    second = await make_template(owner, version=2)
    items = [
        Item(template.key, suffix="a", actor="hr-anna", reason="new hire"),
        Item(second.family, suffix="b", actor="hr-bob"),
    ]
    operation = uuid4()
    first = (await compose(owner, items[0], operation_id=operation))[0]
    last = await compose_one(owner, items[1])

    document = await read(service, "events", actor="hr-anna")
    assert document == {
        "items": [
            {
                "instance_collection_id": str(first["instance_collection_id"]),
                "instance_key": "tpl-inst:auto:a",
                "template_collection_id": str(template.collection_id),
                "template_key": template.key,
                "event_id": str(items[0].event_id),
                "event_type": "hr.employee.hired",
                "reference_id": str(template.collection_id),
                "suffix": "a",
                "idempotency_key": first["instance_collection_id"].hex,
                "actor": "hr-anna",
                "emit_mode": "live",
                "reason": "new hire",
                "operation_id": str(operation),
                "request_id": str(items[0].request_id),
                "composed_at": in_z(first["composed_at"]),
                "data_digest": EMPTY,
                "warnings": ["template_superseded"],
                "pieces_attached": 5,
                "composition_digest": template.composition_digest,
                "template_digest": template.composition_digest,
                "lineage_digest": template.composition_digest,
                "digest_matches_template": True,
            }
        ],
        "next_page_token": None,
    }
    a, b = str(first["instance_collection_id"]), str(last["instance_collection_id"])
    await edit(owner, last["instance_collection_id"], template)
    for filters, expected in [
        ({}, [b, a]),
        ({"template": template.key}, [a]),
        ({"template": "tpl:wf:onboarding"}, [b]),
        ({"event_id": str(items[1].event_id)}, [b]),
        ({"operation_id": str(operation)}, [a]),
        ({"digest_state": "diverges"}, [b]),
        ({"composed_to": in_z(last["composed_at"])}, [a]),
        ({"composed_from": in_z(last["composed_at"])}, [b]),
    ]:
        found = await everything(service, "events", limit=1, **filters)
        assert [item["instance_collection_id"] for item in found] == expected, filters


async def test_what_no_event_composed_is_not_in_the_event_log(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await compose_one(owner, Item(template.key))
    await owner.execute("DELETE FROM iu_core.iu_auto_instantiate_event_log")
    assert (await read(service, "events"))["items"] == []
    assert len((await service.viewer.get("/instances")).json()["items"]) == 1


async def test_the_summary_per_template_and_mode(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    second = await make_template(owner, version=2)
    answers = await compose(
        owner,
        Item(second.key, actor="hr-anna"),
        Item(second.key, actor="hr-bob"),
        Item(second.key, emit_mode="dry_run"),
        Item("tpl:no:such/v1", emit_mode="dry_run"),
    )
    await edit(owner, answers[0]["instance_collection_id"], template)
    await owner.execute(  # as whatever edits an instance counts it
        "SELECT iu_core.fn_iu_counter_add(ARRAY[$1::uuid], '{live}', '{0}', '{1}')",
        second.collection_id,
    )
    document = await read(service, "summary")
    composed_at = in_z(answers[0]["composed_at"])
    for row in document["by_template"]:
        if row["emit_mode"] == "dry_run":
            assert row.pop("first_at") == row.pop("last_at")
    assert document == {
        "totals": {"live": 2, "dry_run": 2, "matches": 1, "diverges": 1},
        "by_template": [
            {
                "template_collection_id": str(second.collection_id),
                "template_key": second.key,
                "emit_mode": "dry_run",
                "events": 1,
                "matches": None,
                "diverges": None,
            },
            {
                "template_collection_id": str(second.collection_id),
                "template_key": second.key,
                "emit_mode": "live",
                "events": 2,
                "matches": 1,
                "diverges": 1,
                "first_at": composed_at,
                "last_at": composed_at,
            },
            {
                "template_collection_id": None,
                "template_key": None,
                "emit_mode": "dry_run",
                "events": 1,
                "matches": None,
                "diverges": None,
            },
        ],
    }


async def test_integrity_holds_until_something_is_tampered_with(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await compose_one(owner, Item(template.key))
    document = await read(service, "integrity")
    assert datetime.fromisoformat(document.pop("checked_at")) < datetime.now(UTC)
    assert document == {
        "holds": True,
        "counts": {},
        "examined": {
            "pieces": 5,
            "compositions": 1,
            "templates": 1,
            "instances": 1,
            "lineage": 1,
            "event_log": 1,
        },
        "findings": [],
        "truncated": False,
    }
    await owner.execute("UPDATE iu_core.iu_template_counter SET instance_count = 2")
    document = await read(service, "integrity")
    assert (document["holds"], document["counts"]) == (False, {"counter_mismatch": 1})
    assert document["findings"] == [
        {
            "kind": "counter_mismatch",
            "subject": "template tpl:wf:onboarding/v1 live instances",
            "expected": "1",
            "actual": "2",
        }
    ]


async def test_checks_that_are_asked_for_at_the_same_time_are_one(
    service: Service, owner: asyncpg.Connection, observer: asyncpg.Connection, connect: Connect
) -> None:
    await read(service, "integrity")
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%fn_iu_verify_integrity%'"
    own = f"{running} AND datname = current_database() AND pid <> pg_backend_pid()"
    async with owner.transaction():
        await owner.execute("SELECT * FROM iu_core.iu_integrity_check FOR UPDATE")
        asked = [asyncio.create_task(read(service, "integrity")) for _ in range(5)]

        async def waits() -> bool:
            waiting = f"{own} AND wait_event_type = 'Lock'"
            return bool(await observer.fetchval(waiting) >= 1)

        await wait_until(waits, "a check waits for the row of its result")
        assert await observer.fetchval(f"{own} AND state = 'active'") == 1
        asked[0].cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    documents = answers[1:]
    assert all(document == documents[0] for document in documents)
    assert (await read(service, "integrity")) != documents[0], "the next one is a new one"


async def test_refusals_with_what_was_asked_for(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    sent = {"event_id": str(uuid4()), "event_type": "t", "template": template.key, "data": {}}
    for _ in range(3):
        await service.producer.post("/instances/from-event", json=sent)
    await open_gates(owner)
    unknown = sent | {"template": "tpl:no:such/v1"}
    refused = await service.operator.post("/instances/from-event", json=unknown)
    await service.operator.post("/instances/from-event", json=sent | {"emit_mode": "dry_run"})

    found = await everything(service, "refusals", limit=1)
    assert [(item["code"], item["occurrences"]) for item in found] in (
        [("template_collection_not_found", 1), ("live_gate_closed", 3)],
        # A minute may end between two of the three.
        [("template_collection_not_found", 1), ("live_gate_closed", 1), ("live_gate_closed", 2)],
        [("template_collection_not_found", 1), ("live_gate_closed", 2), ("live_gate_closed", 1)],
    )
    newest = found[0]
    assert newest.pop("first_at") == newest.pop("last_at")
    assert newest.pop("principal").startswith("operator-")
    assert newest.pop("record_id") != newest.pop("subject_id")
    assert newest == {
        "command": "instantiate_from_event",
        "code": "template_collection_not_found",
        "template_collection_id": None,
        "template_key": None,
        "actor": "operator-bot",
        "request_id": refused.headers["x-request-id"],
        "occurrences": 1,
        "details": {
            "event_id": sent["event_id"],
            "template": "tpl:no:such/v1",
            "suffix": "",
        },
    }
    gate = found[1]
    assert (gate["template_key"], gate["actor"], gate["request_id"], gate["details"]) == (
        template.key,
        "producer-bot",
        None,
        {},
    )

    async def codes(**filters: Any) -> set[str]:
        return {item["code"] for item in await everything(service, "refusals", **filters)}

    assert await codes(code="live_gate_closed") == {"live_gate_closed"}
    assert await codes(actor="operator-bot") == {"template_collection_not_found"}
    assert await codes(code="live_gate_closed", actor="operator-bot") == set()
    assert await codes(since=in_z(datetime.now(UTC) + timedelta(hours=1))) == set()
    assert len(await codes(since=in_z(datetime.now(UTC) - timedelta(hours=1)))) == 2


async def test_an_overview_of_a_factory_that_was_just_set_up(
    service: Service, owner: asyncpg.Connection
) -> None:
    document = await read(service, "overview")
    revision = await owner.fetchval("SELECT version_num FROM iu_core.iu_schema_revision")
    observed_at = datetime.fromisoformat(document.pop("observed_at"))
    assert abs(datetime.now(UTC) - observed_at) < timedelta(minutes=1)
    assert document == {
        "health": {
            "status": "ok",
            "attention": [],
            "schema_revision": revision,
            "program": program.__version__,
        },
        "gates": {
            "open": 0,
            "leased": 0,
            "closed": len(GATE_KEYS),
            "sealed": 0,
            "not_simply_closed": [],
        },
        "counts": {"families": 0, "templates": 0, "instances": 0, "dry_runs": 0},
        "rates": {"composed_last_minute": 0, "composed_last_hour": 0, "is_capped": False},
        "refusals": [],
        "drift": {"instances": 0, "templates": []},
        "unversioned": {"templates": 0, "keys": []},
        "orphans": None,
        "integrity": None,
    }


async def test_an_overview_that_asks_for_attention(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    loose = await make_loose_template(owner, "tpl:file:loose")
    answers = await compose(
        owner,
        *(Item(template.key) for _ in range(3)),
        Item(template.key, emit_mode="dry_run"),
        Item("tpl:no:such"),
        Item("tpl:no:such"),
    )
    await owner.execute(
        """DELETE FROM iu_core.iu_collection_template_instance_lineage
            WHERE instance_collection_id = $1""",
        answers[0]["instance_collection_id"],
    )
    await edit(owner, answers[1]["instance_collection_id"], loose)
    await owner.execute(
        "UPDATE iu_core.iu_template_counter SET diverging_count = 1 WHERE emit_mode = 'live'"
    )
    await close_gates(owner)
    await open_gates(owner, "composer_enabled")
    lease = {"seconds": 60, "reason": "a look"}
    await service.operator.post(f"/gates/{GATE_KEYS[0]}/leases", json=lease)
    checked = await read(service, "integrity")

    document = await read(service, "overview")
    assert document["health"]["status"] == "attention"
    assert document["health"]["attention"] == ["digest_drift", "integrity", "unversioned_template"]
    gates = document["gates"]
    leased, composing = sorted(gates.pop("not_simply_closed"), key=lambda gate: gate["state"])
    assert gates == {"open": 1, "leased": 1, "closed": len(GATE_KEYS) - 2, "sealed": 0}
    assert leased.pop("leases_end_at").endswith("Z")
    assert leased == {
        "gate": GATE_KEYS[0],
        "state": "leased",
        "sealed": False,
        "reason": "a look",
    }
    assert (composing["gate"], composing["state"]) == ("iu_core.composer_enabled", "open")
    assert document["counts"] == {"families": 2, "templates": 2, "instances": 3, "dry_runs": 1}
    assert document["rates"] == {
        "composed_last_minute": 2,
        "composed_last_hour": 2,
        "is_capped": False,
    }
    (refusal,) = document["refusals"]
    assert refusal.pop("last_at").endswith("Z")
    assert refusal == {"code": "template_collection_not_found", "last_hour": 2, "last_day": 2}
    assert document["drift"] == {"instances": 1, "templates": [template.key]}
    assert document["unversioned"] == {"templates": 1, "keys": [loose.key]}
    assert document["orphans"] == 1
    assert document["integrity"] == {
        "checked_at": checked["checked_at"],
        "holds": False,
        "counts": checked["counts"],
    }
