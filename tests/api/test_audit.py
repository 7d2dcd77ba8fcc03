"""`/commands/runs`: what commands did, refused ones included; verifying, sealing, exporting it."""

import asyncio
import base64
import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.signing import SigningKey, is_signed
from tests.support.audit import let_a_minute_pass
from tests.support.databases import Database
from tests.support.http import Service, problem, running_service
from tests.support.interleaving import wait_until
from tests.support.templates import make_template, open_gates

RUNS = "/commands/runs"
GATE = "iu_core.composer_enabled"


async def listed(service: Service, **query: Any) -> list[dict[str, Any]]:
    """The runs that a query lists."""
    answer = await service.viewer.get(RUNS, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def open_gate(service: Service) -> httpx.Response:
    order = {"state": "open", "reason": "a test"}
    return await service.operator.put(f"/gates/{GATE}", json=order)


async def sealed(service: Service, owner: asyncpg.Connection) -> dict[str, Any]:
    """One run, sealed."""
    await open_gate(service)
    await let_a_minute_pass(owner)
    answer = await service.operator.post(f"{RUNS}/seal")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_run_tells_who_did_what(service: Service, owner: asyncpg.Connection) -> None:
    answer = await open_gate(service)
    principal = await owner.fetchval(
        "SELECT principal FROM iu_core.iu_api_key WHERE scope = 'operator'"
    )
    (run,) = await listed(service)
    assert run.pop("took_us") > 0
    assert run.pop("first_at") == run["last_at"]
    # As times: the details have the database's own text, which leaves zeros at the end out.
    at = datetime.fromisoformat(answer.json()["at"])
    assert datetime.fromisoformat(run.pop("last_at")) >= at
    assert datetime.fromisoformat(run["details"].pop("at")) == at
    assert run.pop("record_id") != run.pop("subject_id")
    assert run == {
        "command": "set_gate",
        "outcome": "done",
        "code": "ok",
        "actor": "operator-bot",
        "principal": principal,
        "request_id": answer.headers["x-request-id"],
        "template_collection_id": None,
        "template_key": None,
        "occurrences": 1,
        "counts": None,
        "lease_ids": None,
        "instances_digest": None,
        "segment_no": None,
        "details": {
            "gate": GATE,
            "state": "open",
            "reason": "a test",
            "changed": True,
        },
    }


async def test_unsealing_a_gate_is_one_run(service: Service) -> None:
    order = {"state": "closed", "reason": "enough", "seal": True}
    await service.admin.put(f"/gates/{GATE}", json=order)
    before = await listed(service)
    answer = await service.admin.put(f"/gates/{GATE}", json={**order, "seal": False})
    assert (answer.json()["sealed"], answer.json()["changed"]) == (False, True)
    (run, *rest) = await listed(service)
    assert rest == before
    assert (run["command"], run["code"]) == ("set_gate", "ok")
    assert run["request_id"] == answer.headers["x-request-id"]
    run["details"].pop("at")
    assert run["details"] == {
        "gate": GATE,
        "state": "closed",
        "unseal": True,
        "reason": "enough",
        "changed": True,
        "leases_ended": 0,
    }


UNKNOWN = "iu_core.unknown_event_types"
LEASE = {"seconds": 60, "uses": 3, "for_actor": "hr-bot", "reason": "a try"}


@pytest.mark.parametrize(
    ("method", "path", "order", "told"),
    [
        (
            "PUT",
            f"/settings/{UNKNOWN}",
            {"value": "refuse", "reason": "strict"},
            {"setting": UNKNOWN, "before": "inert", "value": "refuse", "reason": "strict"},
        ),
        (
            "PUT",
            f"/gates/{GATE}",
            {"state": "closed", "reason": "enough", "seal": True},
            {"gate": GATE, "state": "closed", "seal": True, "reason": "enough"},
        ),
        (
            "POST",
            f"/gates/{GATE}/leases",
            LEASE,
            {"gate": GATE, "for_actor": "hr-bot", "uses": 3, "seconds": 60, "reason": "a try"},
        ),
        (
            "PUT",
            "/event-types/my.type",
            {"delivery_lane": "delayed", "reason": "new"},
            {"event_type": "my.type", "delivery_lane": "delayed", "reason": "new"},
        ),
        (
            "POST",
            "/rollback/release-keys",
            {"selectors": {"actor": "hr-bot"}, "reason": "again"},
            {"selectors": {"actor": "hr-bot"}, "reason": "again", "released": 0},
        ),
        (
            "POST",
            "/api-keys",
            {"principal": "a", "scope": "producer", "actor": "hr", "actor_prefixes": ["hr-"]},
            {
                "key_principal": "a",
                "scope": "producer",
                "key_actor": "hr",
                "actor_prefixes": ["hr-"],
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_run_tells_what_it_was_about_and_why(
    service: Service, method: str, path: str, order: dict[str, Any], told: dict[str, Any]
) -> None:
    """Without what it was about, whose rows may be changed or gone by the time it is read."""
    answer = await service.admin.request(method, path, json=order)
    assert answer.is_success, answer.text
    (run,) = await listed(service)
    assert {name: run["details"].get(name) for name in told} == told


async def test_a_run_tells_which_key_was_revoked(service: Service) -> None:
    order = {"principal": "a", "scope": "producer", "actor": "hr"}
    made = await service.admin.post("/api-keys", json=order)
    key_id = made.json()["key_id"]
    await service.admin.delete(f"/api-keys/{key_id}")
    revoked, _ = await listed(service)
    assert revoked["command"] == "revoke_api_key"
    assert revoked["details"]["key_id"] == key_id


async def test_a_run_tells_which_events_were_taken(
    service: Service, owner: asyncpg.Connection
) -> None:
    await open_gates(owner, "event_intake_enabled")
    event = {"specversion": "1.0", "id": "1", "source": "/hr", "type": "my.type"}
    answer = await service.producer.post(
        "/events",
        json=event,
        headers={"content-type": "application/cloudevents+json"},
    )
    assert answer.is_success, answer.text
    (run,) = await listed(service, command="post_events")
    taken = await owner.fetchval("SELECT event_id FROM iu_core.iu_event")
    assert run["details"] == {"event_ids": [str(taken)]}


async def test_requests_that_are_composed_together_leave_a_run(
    service: Service, owner: asyncpg.Connection
) -> None:
    template = await make_template(owner)
    await open_gates(owner)
    order = {"event_id": str(uuid4()), "event_type": "x", "template": template.key}
    composed = await service.producer.post("/instances/from-event", json=order)
    replayed = await service.producer.post("/instances/from-event", json=order)
    assert (composed.status_code, replayed.status_code) == (201, 200)
    latest, first = await listed(service, command="instantiate_from_event")
    assert (first["code"], first["counts"]) == ("ok", {"composed": 1, "replayed": 0})
    assert first["request_id"] == composed.headers["x-request-id"]
    assert (latest["code"], latest["counts"]) == (
        "idempotent_replay",
        {"composed": 0, "replayed": 1},
    )
    assert latest["instances_digest"] is None


async def test_runs_are_listed_by_what_they_are(
    service: Service, owner: asyncpg.Connection
) -> None:
    await open_gate(service)
    await service.operator.post("/gates/close-all", json={"reason": "enough"})
    everything = await listed(service)
    assert [run["command"] for run in everything] == ["close_all_gates", "set_gate"]
    for name, value in (
        ("command", "set_gate"),
        ("request_id", everything[1]["request_id"]),
        ("subject_id", everything[1]["subject_id"]),
        ("until", everything[0]["last_at"]),
    ):
        assert await listed(service, **{name: value}) == everything[1:], name
    assert await listed(service, since=everything[0]["last_at"]) == everything[:1]
    for name, value in (("outcome", "refused"), ("code", "no"), ("actor", "x"), ("principal", "x")):
        assert await listed(service, **{name: value}) == [], name

    page = (await service.viewer.get(RUNS, params={"limit": 1})).json()
    assert page["items"] == everything[:1]
    rest = await service.viewer.get(
        RUNS, params={"limit": 1, "page_token": page["next_page_token"]}
    )
    assert rest.json() == {"items": everything[1:], "next_page_token": None}


# ---------------------------------------------------------------------------------- refusals


async def refused(service: Service) -> list[tuple[str, str, str, int]]:
    """What was refused, of whom, and how often; the oldest first."""
    runs = await listed(service, outcome="refused")
    return [(run["command"], run["code"], run["actor"], run["occurrences"]) for run in runs[::-1]]


async def test_a_refusal_before_a_function_was_asked_is_counted(service: Service) -> None:
    for _ in range(3):
        answer = await service.viewer.put(f"/gates/{GATE}", json={"state": "open", "reason": "x"})
        assert answer.status_code == 403
    assert (await service.operator.put(f"/gates/{GATE}", json={})).status_code == 422
    answer = await service.operator.put(
        f"/gates/{GATE}", json={"state": "open", "reason": "x", "actor": "somebody"}
    )
    assert answer.json()["code"] == "actor_not_allowed"
    assert await refused(service) == [
        ("set_gate", "forbidden", "viewer-bot", 3),
        ("set_gate", "invalid_input", "operator-bot", 1),
        ("set_gate", "actor_not_allowed", "operator-bot", 1),
    ]


async def test_a_refusal_that_undid_its_transaction_is_counted(
    service: Service, owner: asyncpg.Connection
) -> None:
    """65 actors in one call are raised, and what is raised leaves nothing behind."""
    template = await make_template(owner)
    await open_gates(owner)
    answer = await service.producer.post(
        "/instances/bulk",
        params={"atomic": "true"},
        json=[
            {
                "event_id": str(uuid4()),
                "event_type": "x",
                "template": template.key,
                "actor": f"producer-{number}",
            }
            for number in range(65)
        ],
    )
    assert answer.json()["code"] == "too_large"
    assert await refused(service) == [("instantiate_bulk", "too_large", "producer-bot", 1)]


async def test_a_refusal_that_a_function_has_recorded_is_recorded_once(service: Service) -> None:
    answer = await service.operator.put(
        "/gates/iu_core.no_such_gate", json={"state": "open", "reason": "x"}
    )
    assert answer.status_code == 404
    assert await refused(service) == [("set_gate", "gate_not_found", "operator-bot", 1)]


async def test_who_is_unknown_and_who_only_reads_leaves_no_run(service: Service) -> None:
    assert (await service.anonymous.put(f"/gates/{GATE}", json={})).status_code == 401
    assert (await service.producer.get("/gates")).status_code == 403
    assert (await service.viewer.get("/gates/iu_core.no_such_gate")).status_code == 404
    assert await listed(service) == []


# ------------------------------------------------------------------- sealing and verifying


async def test_what_was_sealed_is_verified_and_a_change_is_named(
    service: Service, owner: asyncpg.Connection
) -> None:
    end = await sealed(service, owner)
    assert end == {
        "segments": 1,
        "runs": 1,
        "complete": True,
        "segment_no": 1,
        "segment_digest": end["segment_digest"],
    }
    (run,) = await listed(service)
    assert run["segment_no"] == 1
    answer = await service.viewer.get(f"{RUNS}/verify")
    assert answer.json() == {
        "holds": True,
        "segments": 1,
        "retired": 0,
        "runs": 1,
        "findings": [],
        "truncated": False,
        "unsealed": {"runs": 0, "since": None, "more": False},
        "segment_no": 1,
        "segment_digest": end["segment_digest"],
        "sealed_until": run["last_at"],
    }

    await owner.execute("UPDATE iu_core.iu_command_record SET actor = 'nobody'")
    report = (await service.viewer.get(f"{RUNS}/verify")).json()
    (finding,) = report["findings"]
    assert report["holds"] is False
    assert (finding["kind"], finding["subject"]) == ("run_edited", f"run {run['record_id']}")


async def test_an_empty_chain_holds_and_has_no_head(service: Service) -> None:
    report = (await service.viewer.get(f"{RUNS}/verify")).json()
    assert (report["holds"], report["segment_no"], report["sealed_until"]) == (True, None, None)
    answer = await service.admin.post(f"{RUNS}/export")
    assert answer.status_code == 409
    assert answer.json() == problem(
        "nothing_sealed", answer.headers["x-request-id"], f"{RUNS}/export"
    )


async def test_a_chain_whose_end_is_gone_is_not_sealed_on(
    service: Service, owner: asyncpg.Connection
) -> None:
    await sealed(service, owner)
    await owner.execute("DELETE FROM iu_core.iu_audit_chain")
    answer = await service.operator.post(f"{RUNS}/seal")
    assert answer.status_code == 409
    assert answer.json() == problem(
        "audit_chain_broken", answer.headers["x-request-id"], f"{RUNS}/seal"
    )
    report = (await service.viewer.get(f"{RUNS}/verify")).json()
    assert [finding["kind"] for finding in report["findings"]] == ["chain_truncated"]

    answer = await service.admin.post(f"{RUNS}/export")
    assert answer.status_code == 409
    assert answer.json() == problem(
        "audit_chain_broken", answer.headers["x-request-id"], f"{RUNS}/export"
    )


async def test_one_looks_at_a_time(service: Service, owner: asyncpg.Connection) -> None:
    await sealed(service, owner)
    path = f"{RUNS}/verify"
    async with owner.transaction():
        await owner.execute("LOCK TABLE iu_core.iu_audit_segment")
        first = asyncio.create_task(service.viewer.get(path))

        async def waits() -> bool:
            blocked: bool = await owner.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
                " AND relation = 'iu_core.iu_audit_segment'::regclass)"
            )
            return blocked

        await wait_until(waits, "the first look waits")
        answer = await service.operator.get(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json() == {
            **problem("overloaded", answer.headers["x-request-id"], path, retry_after=1),
            "detail": "The audit log is being verified already; one looks at a time.",
        }
        assert not first.done()
    assert (await first).json()["holds"] is True
    assert (await service.operator.get(path)).json()["holds"] is True


async def test_what_is_wrong_with_the_chain_comes_first_whichever_portion_has_it(
    service: Service, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.audit.SEGMENTS", 1)
    await sealed(service, owner)
    await open_gate(service)
    await let_a_minute_pass(owner, 4)
    await service.operator.post(f"{RUNS}/seal")
    await owner.execute(
        """UPDATE iu_core.iu_command_record SET actor = 'nobody';
           UPDATE iu_core.iu_audit_segment SET sealed_by = 'nobody' WHERE segment_no = 2"""
    )
    report = (await service.viewer.get(f"{RUNS}/verify")).json()
    kinds = [finding["kind"] for finding in report["findings"]]
    assert kinds == ["segment_edited", "run_edited", "run_edited"]


async def test_the_service_seals_by_itself(
    database: Database,
    owner: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.services.sealing.EVERY_S", 0.05)
    async with running_service(database, owner) as running:
        await open_gate(running)
        await let_a_minute_pass(owner)

        async def is_sealed() -> bool:
            return [run["segment_no"] for run in await listed(running)] == [1]

        await wait_until(is_sealed, "the service has sealed the run")


# ----------------------------------------------------------------------------------- exporting


async def test_an_exported_head_is_signed_and_still_in_the_chain(
    service: Service, owner: asyncpg.Connection, database: Database
) -> None:
    end = await sealed(service, owner)
    answer = await service.admin.post(f"{RUNS}/export")
    assert answer.status_code == 200
    head = answer.json()
    text = head["head"].encode()
    assert hashlib.sha256(text).hexdigest() == head["segment_digest"] == end["segment_digest"]
    assert head["segment_no"] == 1
    assert is_signed(text, base64.b64decode(head["signature"]), head["public_key"])
    kept = database.data_dir / "audit.key"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert SigningKey.kept_in(kept).public_key == head["public_key"]

    for digest, kinds in ((head["segment_digest"], []), ("0" * 64, ["head_missing"])):
        report = await service.viewer.get(f"{RUNS}/verify", params={"head": digest})
        assert [finding["kind"] for finding in report.json()["findings"]] == kinds
    (run, _) = await listed(service)
    assert (run["command"], run["code"]) == ("export_audit_head", "ok")


async def test_a_head_that_can_not_be_signed_was_not_exported(
    service: Service, owner: asyncpg.Connection, database: Database
) -> None:
    await sealed(service, owner)
    database.data_dir.mkdir(parents=True)
    (database.data_dir / "audit.key").write_text("no key")
    answer = await service.admin.post(f"{RUNS}/export")
    assert answer.status_code == 503
    assert answer.json() == problem(
        "audit_key_unavailable", answer.headers["x-request-id"], f"{RUNS}/export", retry_after=1
    )
    assert not await owner.fetchval("SELECT exported_at FROM iu_core.iu_audit_segment")


def test_a_key_that_another_process_is_making_is_left_alone(tmp_path: Path) -> None:
    """Of two containers that share a data directory both may be process 1."""
    path = tmp_path / "audit.key"
    making = tmp_path / f".audit.key.{os.getpid()}"
    making.write_text("half a key")
    made = SigningKey.kept_in(path)
    assert SigningKey.kept_in(path).public_key == made.public_key
    assert {file.name for file in tmp_path.iterdir()} == {path.name, making.name}
    assert making.read_text() == "half a key"
    assert path.stat().st_mode & 0o777 == 0o600
