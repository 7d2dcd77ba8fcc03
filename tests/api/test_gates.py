"""`/gates`: exact JSON, who may do what, and when a closing is answered."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.db.limits import Limits
from app.services import gates as service_of_gates
from tests.support.composing import Item, compose_one
from tests.support.databases import Connect
from tests.support.gates import (
    COMPOSER,
    DELIVERY,
    ELEVEN,
    LIVE,
    PIECES,
    admits,
    close,
    open_gate,
    state,
)
from tests.support.http import Service, problem
from tests.support.interleaving import wait_until
from tests.support.templates import make_template, open_gates

CLOSED: dict[str, Any] = {
    "state": "closed",
    "live_leases": 0,
    "leases_end_at": None,
    "sealed": False,
    "sealed_at": None,
    "sealed_by": None,
    "changed_by": "iu-core-migration",
    "reason": "closed by default",
}


def without(document: dict[str, Any], *times: str) -> dict[str, Any]:
    """The document without its timestamps, each of which must be one in UTC."""
    rest = dict(document)
    for name in times:
        assert rest.pop(name).endswith("Z"), name
    return rest


def refusal(response: httpx.Response, code: str, **members: Any) -> Any:
    """The problem document that a response must be."""
    assert response.headers["content-type"] == "application/problem+json"
    request_id = response.headers["x-request-id"]
    return problem(code, request_id, response.request.url.path, **members)


async def test_the_eleven_gates_in_pages(service: Service) -> None:
    first = (await service.viewer.get("/gates", params={"limit": 6})).json()
    token = first["next_page_token"]
    second = (await service.viewer.get("/gates", params={"limit": 6, "page_token": token})).json()
    assert second["next_page_token"] is None
    gates = [without(gate, "changed_at") for gate in first["items"] + second["items"]]
    codes = {
        gate: gate.removeprefix("iu_core.").replace("_enabled", "_gate_closed") for gate in ELEVEN
    } | {LIVE: "live_gate_closed"}
    assert gates == [{"gate": gate, "refusal": codes[gate], **CLOSED} for gate in ELEVEN]


async def test_opening_and_closing(service: Service) -> None:
    answer = await service.operator.put(
        "/gates/composer_enabled", json={"state": "open", "reason": "the first run"}
    )
    assert answer.status_code == 200
    opened = {
        "gate": COMPOSER,
        "state": "open",
        "draining": False,
        "changed": True,
        "sealed": False,
        "leases_ended": 0,
        "on_the_wire": None,
    }
    assert without(answer.json(), "at") == opened
    read = (await service.viewer.get(f"/gates/{COMPOSER}")).json()
    assert read.pop("changed_at") == answer.json()["at"]
    assert read == {
        **CLOSED,
        "gate": COMPOSER,
        "refusal": "composer_gate_closed",
        "state": "open",
        "changed_by": "operator-bot",
        "reason": "the first run",
        "leases": [],
    }

    closing = {"state": "closed", "reason": "enough", "actor": "operator-anna"}
    answer = await service.operator.put(f"/gates/{COMPOSER}", json=closing)
    assert answer.status_code == 200
    closed = opened | {"state": "closed"}
    assert without(answer.json(), "at") == closed
    again = await service.operator.put(f"/gates/{COMPOSER}", json=closing)
    assert without(again.json(), "at") == closed | {"changed": False}


async def test_a_lease_is_taken_listed_and_revoked(service: Service) -> None:
    answer = await service.operator.post(
        "/gates/composer_enabled/leases",
        json={"seconds": 60, "reason": "a trial", "for_actor": "hr-bot", "uses": 3},
    )
    assert answer.status_code == 201
    lease = answer.json()
    lease_id = lease["lease_id"]
    assert without(lease, "opened_at", "expires_at") == {
        "lease_id": lease_id,
        "gate": COMPOSER,
        "state": "live",
        "for_actor": "hr-bot",
        "uses_limit": 3,
        "uses_left": 3,
        "opened_by": "operator-bot",
        "reason": "a trial",
        "revoked_at": None,
        "revoked_by": None,
    }
    gate = (await service.viewer.get("/gates/composer_enabled")).json()
    assert gate == {
        **CLOSED,
        "gate": COMPOSER,
        "refusal": "composer_gate_closed",
        "state": "leased",
        "live_leases": 1,
        "leases_end_at": lease["expires_at"],
        "changed_at": lease["opened_at"],
        "changed_by": "operator-bot",
        "reason": "a trial",
        "leases": [lease],
    }

    path = f"/gates/composer_enabled/leases/{lease_id}"
    answer = await service.operator.delete(path, params={"reason": "no longer needed"})
    assert answer.status_code == 200
    revoked = answer.json()
    assert revoked.pop("draining") is False
    assert revoked["revoked_at"].endswith("Z")
    assert revoked == lease | {
        "state": "revoked",
        "revoked_at": revoked["revoked_at"],
        "revoked_by": "operator-bot",
    }
    again = await service.operator.delete(path)
    assert again.json() == revoked | {"draining": False}


async def test_all_gates_close_with_one_call_that_needs_no_body(
    service: Service, owner: asyncpg.Connection
) -> None:
    for gate in (COMPOSER, DELIVERY):
        await open_gate(owner, gate)
    answer = await service.operator.post("/gates/close-all")
    assert answer.status_code == 200
    document = answer.json()
    times = {gate.pop("at") for gate in document["gates"]}
    assert len(times) == 1, "one transaction"
    assert document == {
        "draining": False,
        "gates": [
            {
                "gate": gate,
                "state": "closed",
                "draining": False,
                "changed": gate in (COMPOSER, DELIVERY),
                "sealed": False,
                "leases_ended": 0,
                "on_the_wire": 0 if gate == DELIVERY else None,
            }
            for gate in ELEVEN
        ],
    }
    history = (await service.viewer.get(f"/gates/{DELIVERY}/history")).json()
    assert history["items"][0]["reason"] == "all gates closed"


async def test_the_history_comes_in_pages_the_newest_first(service: Service) -> None:
    for state_, reason in (("open", "one"), ("closed", "two"), ("open", "three")):
        await service.operator.put(
            "/gates/piece_write_enabled", json={"state": state_, "reason": reason}
        )
    path = "/gates/piece_write_enabled/history"
    first = (await service.viewer.get(path, params={"limit": 2})).json()
    token = first["next_page_token"]
    second = (await service.viewer.get(path, params={"limit": 2, "page_token": token})).json()
    assert second["next_page_token"] is None
    entries = first["items"] + second["items"]
    assert [entry["reason"] for entry in entries] == ["three", "two", "one"]
    newest = entries[1]
    assert without(newest, "occurred_at") == {
        "history_id": newest["history_id"],
        "gate": PIECES,
        "action": "close",
        "actor": "operator-bot",
        "principal": newest["principal"],
        "reason": "two",
        "request_id": newest["request_id"],
        "details": {"leases_ended": 0},
    }
    other = await service.viewer.get(
        "/gates/composer_enabled/history", params={"page_token": token}
    )
    assert other.status_code == 422, "a token belongs to the list that it came with"
    assert other.json()["errors"] == [
        {
            "location": "query",
            "pointer": "/page_token",
            "rule": "page_token",
            "detail": "should be the next_page_token of this list, with these filters",
        }
    ]


# ------------------------------------------------------------------------------------- seals


async def test_a_sealed_gate_is_opened_by_nobody_until_an_admin_unseals_it(
    service: Service,
) -> None:
    path = "/gates/piece_write_enabled"
    sealed = await service.admin.put(path, json={"state": "closed", "reason": "x", "seal": True})
    assert without(sealed.json(), "at") == {
        "gate": PIECES,
        "state": "closed",
        "draining": False,
        "changed": True,
        "sealed": True,
        "leases_ended": 0,
        "on_the_wire": None,
    }
    gate = (await service.viewer.get(path)).json()
    assert (gate["sealed"], gate["sealed_by"]) == (True, "admin-bot")
    assert gate["sealed_at"] == sealed.json()["at"]

    opening = await service.admin.put(path, json={"state": "open", "reason": "x"})
    assert opening.json() == refusal(opening, "gate_sealed", gate=PIECES)
    lease = await service.admin.post(f"{path}/leases", json={"seconds": 60, "reason": "x"})
    assert lease.json() == refusal(lease, "gate_sealed", gate=PIECES)

    unsealed = await service.admin.put(path, json={"state": "closed", "reason": "x", "seal": False})
    assert without(unsealed.json(), "at") == sealed_document(changed=True)
    again = await service.admin.put(path, json={"state": "closed", "reason": "x", "seal": False})
    assert without(again.json(), "at") == sealed_document(changed=False)
    assert (await service.operator.put(path, json={"state": "open", "reason": "x"})).is_success


def sealed_document(*, changed: bool) -> dict[str, Any]:
    """What unsealing answers."""
    return {
        "gate": PIECES,
        "state": "closed",
        "draining": False,
        "changed": changed,
        "sealed": False,
        "leases_ended": 0,
        "on_the_wire": None,
    }


async def test_seals_and_the_gate_of_delivery_are_the_admins(
    service: Service, owner: asyncpg.Connection
) -> None:
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PUT", "/gates/piece_write_enabled", {"state": "closed", "reason": "x", "seal": True}),
        ("PUT", "/gates/piece_write_enabled", {"state": "closed", "reason": "x", "seal": False}),
        ("POST", "/gates/close-all", {"reason": "x", "seal": True}),
        ("PUT", "/gates/delivery_enabled", {"state": "open", "reason": "x"}),
        ("PUT", f"/gates/{DELIVERY}", {"state": "open", "reason": "x"}),
        ("POST", "/gates/delivery_enabled/leases", {"seconds": 60, "reason": "x"}),
        ("DELETE", f"/gates/delivery_enabled/leases/{uuid4()}", None),
    ]
    for method, path, body in requests:
        answer = await service.operator.request(method, path, json=body)
        assert answer.json() == refusal(
            answer,
            "forbidden",
            detail="This needs the scope admin, and the key has operator.",
            required_scope="admin",
        ), (method, path)
    assert await state(owner, DELIVERY) == "closed"
    opened = await service.admin.put(f"/gates/{DELIVERY}", json={"state": "open", "reason": "x"})
    assert opened.status_code == 200
    assert (await service.admin.post("/gates/close-all", json={"seal": True})).status_code == 200
    gates = (await service.viewer.get("/gates")).json()["items"]
    assert all(gate["sealed"] for gate in gates)


# ---------------------------------------------------------------------------------- refusals


async def test_what_is_no_gate_and_no_lease(service: Service) -> None:
    for method, path, body in (
        ("GET", "/gates/colour", None),
        ("GET", "/gates/colour/history", None),
        ("PUT", "/gates/colour", {"state": "open", "reason": "x"}),
        ("PUT", "/gates/colour", {"state": "closed", "reason": "x"}),
        ("POST", "/gates/colour/leases", {"seconds": 1, "reason": "x"}),
    ):
        answer = await service.operator.request(method, path, json=body)
        assert answer.json() == refusal(answer, "gate_not_found", gate="iu_core.colour")
    setting = await service.viewer.get("/gates/iu_core.delivery_live_routes")
    assert setting.json() == refusal(setting, "gate_not_found", gate="iu_core.delivery_live_routes")
    lease_id = str(uuid4())
    answer = await service.operator.delete(f"/gates/composer_enabled/leases/{lease_id}")
    assert answer.json() == refusal(answer, "lease_not_found", gate=COMPOSER, lease_id=lease_id)


async def test_what_is_wrong_with_a_request_is_said_by_its_pointer(service: Service) -> None:
    path = "/gates/piece_write_enabled"
    for method, where, body, pointers in (
        ("PUT", path, {}, ["/state", "/reason"]),
        ("PUT", path, {"state": "ajar", "reason": ""}, ["/state", "/reason"]),
        ("PUT", path, {"state": "open", "reason": "x", "seal": True}, [""]),
        ("PUT", path, {"state": "open", "reason": "x", "until": 1}, ["/until"]),
        ("POST", f"{path}/leases", {"seconds": 0, "reason": "a\nb"}, ["/seconds", "/reason"]),
        ("POST", f"{path}/leases", {"seconds": 86401, "reason": "x"}, ["/seconds"]),
        ("POST", f"{path}/leases", {"seconds": "60", "reason": "x"}, ["/seconds"]),
        ("POST", f"{path}/leases", {"seconds": 1, "reason": "x", "uses": 2**31}, ["/uses"]),
        ("POST", f"{path}/leases", {"seconds": 1, "reason": "x", "uses": 1}, ["/uses"]),
        ("POST", f"{path}/leases", {"seconds": 1, "reason": "x", "for_actor": "A"}, ["/for_actor"]),
        ("POST", "/gates/close-all", {"reason": 1}, ["/reason"]),
    ):
        answer = await service.admin.request(method, where, json=body)
        document = answer.json()
        assert (answer.status_code, document["code"]) == (422, "invalid_input"), body
        assert [error["pointer"] for error in document["errors"]] == pointers, body


async def test_the_actor_is_one_that_the_key_may_use(service: Service) -> None:
    body = {"state": "open", "reason": "x", "actor": "anna"}
    answer = await service.operator.put("/gates/piece_write_enabled", json=body)
    assert answer.json() == refusal(answer, "actor_not_allowed", actor="anna")
    assert (await service.viewer.get("/gates/piece_write_enabled")).json()["state"] == "closed"


# --------------------------------------------------------------------- when it is answered


async def waiting_for_advisory_locks(observer: asyncpg.Connection) -> bool:
    """Whether somebody waits for an advisory lock in this database."""
    waiting: bool = await observer.fetchval(
        """SELECT EXISTS (
               SELECT FROM pg_locks AS l
                 JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
                WHERE l.locktype = 'advisory' AND NOT l.granted)"""
    )
    return waiting


async def test_a_closing_is_answered_when_the_last_composer_is_done(
    service: Service,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    template = await make_template(owner)
    await open_gates(owner)
    composing = app_conn.transaction()
    await composing.start()
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "ok"

    closing = asyncio.create_task(
        service.operator.put("/gates/composer_enabled", json={"state": "closed", "reason": "x"})
    )
    await wait_until(lambda: waiting_for_advisory_locks(observer), "the closing waits")
    assert not closing.done()
    assert await state(owner, COMPOSER) == "closed", "it is closed before it is drained"
    await composing.commit()
    answer = await closing
    assert (answer.json()["state"], answer.json()["draining"]) == ("closed", False)


@pytest.mark.parametrize("what", ["one gate", "all gates", "a lease"])
async def test_a_closing_that_is_cut_off_while_draining_says_so(
    what: str,
    service: Service,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service_of_gates, "DRAIN", Limits(statement_ms=100, lock_ms=0))
    template = await make_template(owner)
    await open_gates(owner, "auto_instantiate_enabled")
    taken = await service.operator.post(
        "/gates/composer_enabled/leases", json={"seconds": 60, "reason": "x"}
    )
    async with app_conn.transaction():
        assert (await compose_one(app_conn, Item(template.key)))["status"] == "ok"
        if what == "one gate":
            answer = await service.operator.put(
                "/gates/composer_enabled", json={"state": "closed", "reason": "x"}
            )
            assert without(answer.json(), "at") == {
                "gate": COMPOSER,
                "state": "closed",
                "draining": True,
                "changed": True,
                "sealed": False,
                "leases_ended": 1,
                "on_the_wire": None,
            }
        elif what == "all gates":
            answer = await service.operator.post("/gates/close-all")
            document = answer.json()
            draining = {gate["gate"] for gate in document["gates"] if gate["draining"]}
            assert document["draining"] is True
            assert draining >= {LIVE, COMPOSER}
            assert {gate["state"] for gate in document["gates"]} == {"closed"}
        else:
            lease = taken.json()["lease_id"]
            answer = await service.operator.delete(f"/gates/composer_enabled/leases/{lease}")
            assert (answer.json()["state"], answer.json()["draining"]) == ("revoked", True)
        assert answer.status_code == 200
        assert not await admits(owner, COMPOSER), "closed all the same"


async def test_an_opening_that_comes_upon_a_closing_is_refused(
    service: Service, connect: Connect, observer: asyncpg.Connection
) -> None:
    operator = await connect("app")
    closing = operator.transaction()
    await closing.start()
    await close(operator, PIECES)
    opening = asyncio.create_task(
        service.operator.put("/gates/piece_write_enabled", json={"state": "open", "reason": "x"})
    )
    pid = operator.get_server_pid()

    async def somebody_waits() -> bool:
        waits: bool = await observer.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))",
            pid,
        )
        return waits

    await wait_until(somebody_waits, "the opening waits for the closing")
    await closing.commit()
    answer = await opening
    assert answer.json() == refusal(
        answer,
        "operation_state",
        detail="The gate was closed at the same moment.",
        state="closed",
    )
    assert await state(operator, PIECES) == "closed"
