"""The functions and views of gates, one connection at a time."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from tests.support.composing import Item, compose, compose_one
from tests.support.gates import (
    BY,
    COMPOSER,
    DELIVERY,
    ELEVEN,
    LIVE,
    PIECES,
    admits,
    call,
    close,
    history,
    lease,
    open_gate,
    revoke,
    set_clock,
    state,
    unseal,
)
from tests.support.rows import one_row
from tests.support.templates import make_template


def refused(answer: dict[str, Any]) -> list[str]:
    """The pointers of an invalid_input answer."""
    assert answer["status"] == "invalid_input"
    return [error["pointer"] for error in answer["errors"]]


async def test_there_are_eleven_gates_and_all_are_closed(app_conn: asyncpg.Connection) -> None:
    rows = await app_conn.fetch("SELECT * FROM iu_core.v_iu_gate ORDER BY gate_key")
    assert [row["gate_key"] for row in rows] == ELEVEN
    assert {row["state"] for row in rows} == {"closed"}
    assert {row["reason"] for row in rows} == {"closed by default"}
    assert {row["sealed_at"] for row in rows} == {None}


async def test_each_gate_opens_and_closes_alone(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    for gate in ELEVEN:
        answer = await open_gate(app_conn, gate)
        assert answer.pop("at")
        assert answer == {"status": "ok", "gate": gate, "changed": True}
        for other in ELEVEN:
            assert await admits(owner, other) is (other == gate)
        await close(app_conn, gate)
        assert not await admits(owner, gate)


async def test_every_change_is_in_the_history_and_a_repetition_is_none(
    app_conn: asyncpg.Connection,
) -> None:
    assert (await open_gate(app_conn, COMPOSER))["changed"] is True
    assert (await open_gate(app_conn, COMPOSER))["changed"] is False
    taken = await lease(app_conn, COMPOSER, for_actor="hr-bot", uses=3, seconds=60)
    answer = await close(app_conn, COMPOSER)
    assert answer["gates"] == [
        {"gate": COMPOSER, "changed": True, "sealed": False, "leases_ended": 1}
    ]
    again = await close(app_conn, COMPOSER)
    assert again["gates"] == [
        {"gate": COMPOSER, "changed": False, "sealed": False, "leases_ended": 0}
    ]
    assert (await history(app_conn, COMPOSER)) == [
        ("open", {}),
        (
            "lease",
            {
                "lease_id": taken["lease_id"],
                "for_actor": "hr-bot",
                "uses": 3,
                "expires_at": taken["expires_at"],
            },
        ),
        ("close", {"leases_ended": 1}),
    ]


async def test_the_history_says_who_and_why(app_conn: asyncpg.Connection) -> None:
    request_id = uuid4()
    await app_conn.execute(
        "SELECT iu_core.fn_iu_gate_open($1, 'the first run', $2, $3, $4)", PIECES, *BY, request_id
    )
    row = await one_row(app_conn, "SELECT * FROM iu_core.v_iu_config_history")
    assert (row["actor"], row["principal"]) == BY
    assert (row["reason"], row["request_id"]) == ("the first run", request_id)
    gate = await one_row(app_conn, "SELECT * FROM iu_core.v_iu_gate WHERE gate_key = $1", PIECES)
    assert (gate["changed_by"], gate["reason"], gate["state"]) == (BY[0], "the first run", "open")
    assert gate["changed_at"] == row["occurred_at"]
    assert gate["revision"] == 2


async def test_all_gates_close_at_once(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    for gate in ELEVEN:
        await open_gate(app_conn, gate)
        await lease(app_conn, gate)
    answer = await close(app_conn)
    assert answer["gates"] == [
        {"gate": gate, "changed": True, "sealed": False, "leases_ended": 1} for gate in ELEVEN
    ]
    assert not any([await admits(owner, gate) for gate in ELEVEN])


async def test_a_lease_for_one_actor_admits_no_other(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await lease(app_conn, PIECES, for_actor="hr-bot")
    assert await admits(owner, PIECES, "hr-bot")
    assert not await admits(owner, PIECES, "hr-bot-2")
    assert await state(app_conn, PIECES) == "leased"


async def test_a_lease_ends_by_itself_at_the_moment_it_says(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await lease(app_conn, PIECES, seconds=3600)
    await set_clock(owner, timedelta(minutes=59))
    assert await admits(owner, PIECES)
    await set_clock(owner, timedelta(minutes=60))
    assert not await admits(owner, PIECES)
    assert await state(app_conn, PIECES) == "closed"
    found = await one_row(app_conn, "SELECT * FROM iu_core.v_iu_gate_lease")
    assert found["state"] == "expired"


async def test_a_lease_lasts_at_most_a_day(app_conn: asyncpg.Connection) -> None:
    taken = await lease(app_conn, PIECES, seconds=86_400)
    assert taken["status"] == "ok"
    assert refused(await lease(app_conn, PIECES, seconds=86_401)) == ["/seconds"]
    assert refused(await lease(app_conn, PIECES, seconds=0)) == ["/seconds"]
    assert refused(await lease(app_conn, PIECES, seconds=None)) == ["/seconds"]


async def test_leases_add_up(owner: asyncpg.Connection, app_conn: asyncpg.Connection) -> None:
    first = await lease(app_conn, PIECES, for_actor="hr-bot")
    await lease(app_conn, PIECES, for_actor="hr-bot")
    await revoke(app_conn, PIECES, first["lease_id"])
    assert await admits(owner, PIECES, "hr-bot")


async def test_uses_are_counted_by_newly_composed_instances(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    template = await make_template(owner)
    await lease(app_conn, COMPOSER)
    await lease(app_conn, LIVE, uses=2)
    first = Item(template.key)
    assert (await compose_one(app_conn, first))["status"] == "ok"
    replay = Item(template.key, event_id=first.event_id)
    assert (await compose_one(app_conn, replay))["status"] == "idempotent_replay"
    answers = await compose(app_conn, Item(template.key), Item(template.key))
    assert [answer["status"] for answer in answers] == ["ok", "live_gate_closed"]
    found = await one_row(
        app_conn, "SELECT * FROM iu_core.v_iu_gate_lease WHERE gate_key = $1", LIVE
    )
    assert (found["state"], found["uses_limit"], found["uses_left"]) == ("used_up", 2, 0)
    assert await state(app_conn, LIVE) == "closed"


async def test_uses_are_refused_where_none_are_counted(app_conn: asyncpg.Connection) -> None:
    for gate in ELEVEN:
        if gate not in (COMPOSER, LIVE):
            assert refused(await lease(app_conn, gate, uses=1)) == ["/uses"]


async def test_everything_wrong_with_a_lease_is_said_at_once(app_conn: asyncpg.Connection) -> None:
    answer = await lease(app_conn, DELIVERY, for_actor="HR bot", uses=0, seconds=-1)
    assert refused(answer) == ["/for_actor", "/uses", "/uses", "/seconds"]


async def test_a_revoked_lease_admits_nobody_and_stays_in_the_list(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    taken = await lease(app_conn, PIECES)
    answer = await revoke(app_conn, PIECES, taken["lease_id"])
    assert (answer["status"], answer["changed"]) == ("ok", True)
    assert (await revoke(app_conn, PIECES, taken["lease_id"]))["changed"] is False
    assert not await admits(owner, PIECES)
    found = await one_row(app_conn, "SELECT * FROM iu_core.v_iu_gate_lease")
    assert (found["state"], found["revoked_by"]) == ("revoked", BY[0])
    assert [action for action, _ in await history(app_conn, PIECES)] == ["lease", "revoke_lease"]


async def test_a_lease_is_revoked_at_its_own_gate_only(app_conn: asyncpg.Connection) -> None:
    taken = await lease(app_conn, PIECES)
    other = await revoke(app_conn, COMPOSER, taken["lease_id"])
    assert other == {"status": "lease_not_found", "gate": COMPOSER, "lease_id": taken["lease_id"]}
    unknown = uuid4()
    answer = await revoke(app_conn, PIECES, unknown)
    assert answer == {"status": "lease_not_found", "gate": PIECES, "lease_id": str(unknown)}


async def test_a_closed_gate_stays_closed_when_the_clock_is_set_back(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await lease(app_conn, PIECES, seconds=60)
    await set_clock(owner, timedelta(minutes=5))
    assert (await close(app_conn, PIECES))["gates"][0]["changed"] is False
    await set_clock(owner, timedelta(0))
    assert not await admits(owner, PIECES)


async def test_a_sealed_gate_takes_no_opening_and_no_lease_until_it_is_unsealed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    answer = await close(app_conn, PIECES, seal=True)
    assert answer["gates"] == [{"gate": PIECES, "changed": True, "sealed": True, "leases_ended": 0}]
    for refusal in (await open_gate(app_conn, PIECES), await lease(app_conn, PIECES)):
        assert refusal == {"status": "gate_sealed", "gate": PIECES}
    again = await close(app_conn, PIECES)
    assert again["gates"][0]["sealed"] is True, "closing again does not unseal"
    assert not await admits(owner, PIECES)

    assert (await unseal(app_conn, PIECES))["changed"] is True
    assert (await unseal(app_conn, PIECES))["changed"] is False
    assert await state(app_conn, PIECES) == "closed"
    assert (await open_gate(app_conn, PIECES))["status"] == "ok"
    actions = [action for action, _ in await history(app_conn, PIECES)]
    assert actions == ["seal", "unseal", "open"]


async def test_sealing_an_open_gate_closes_it(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gate(app_conn, PIECES)
    await close(app_conn, PIECES, seal=True)
    assert not await admits(owner, PIECES)
    actions = [action for action, _ in await history(app_conn, PIECES)]
    assert actions == ["open", "close", "seal"]


async def test_a_sealed_gate_admits_no_window(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    template = await make_template(owner)
    await close(app_conn, COMPOSER, seal=True)
    (answer,) = await compose(app_conn, Item(template.key), window=True)
    assert (answer["status"], answer["details"]) == ("gate_sealed", {"gate": COMPOSER})


async def test_a_window_is_in_the_history_and_opens_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    template = await make_template(owner)
    (answer,) = await compose(app_conn, Item(template.key), window=True)
    assert answer["status"] == "ok"
    for gate in (COMPOSER, LIVE):
        (entry,) = await history(app_conn, gate)
        assert entry == ("window", {"operation_id": None, "instances": 1})
        assert await state(app_conn, gate) == "closed"


async def test_what_is_no_gate_is_not_found(app_conn: asyncpg.Connection) -> None:
    await open_gate(app_conn, COMPOSER)
    for unknown in ("iu_core.delivery_live_routes", "composer_enabled", "", None):
        expected = {"status": "gate_not_found", "gate": unknown}
        assert await open_gate(app_conn, unknown) == expected
        assert await lease(app_conn, unknown) == expected
        assert await unseal(app_conn, unknown) == expected
        assert await revoke(app_conn, unknown, uuid4()) == expected
        assert await close(app_conn, COMPOSER, unknown) == expected
    assert await state(app_conn, COMPOSER) == "open", "all that are named, or none"


async def test_a_reason_is_one_line(app_conn: asyncpg.Connection) -> None:
    for reason in (None, "", "x" * 501, "two\nlines", "a\tb", "\x9b1m"):
        assert refused(await open_gate(app_conn, PIECES, reason)) == ["/reason"]
        assert refused(await close(app_conn, PIECES, reason=reason)) == ["/reason"]
    assert (await open_gate(app_conn, PIECES, "x" * 500))["status"] == "ok"


async def test_a_refusal_is_recorded_with_who_asked(app_conn: asyncpg.Connection) -> None:
    await close(app_conn, PIECES, seal=True)
    request_id = uuid4()
    await app_conn.execute(
        "SELECT iu_core.fn_iu_gate_lease($1, NULL, NULL, 60, 'x', $2, $3, $4)",
        PIECES,
        *BY,
        request_id,
    )
    row = await one_row(
        app_conn, "SELECT * FROM iu_core.v_iu_command_record WHERE outcome = 'refused'"
    )
    assert (row["command"], row["code"], row["outcome"]) == ("lease_gate", "gate_sealed", "refused")
    assert (row["actor"], row["principal"], row["request_id"]) == (*BY, request_id)
    assert row["details"] == {"gate": PIECES}


async def test_an_actor_is_a_tag(app_conn: asyncpg.Connection) -> None:
    answer = await app_conn.fetchval(
        "SELECT iu_core.fn_iu_gate_open($1, 'x', 'Anna', 'p', NULL)", PIECES
    )
    assert refused(answer) == ["/actor"]


async def test_the_leased_gate_tells_of_its_last_lease(app_conn: asyncpg.Connection) -> None:
    await lease(app_conn, PIECES, seconds=7200, reason="first")
    last = await lease(app_conn, PIECES, seconds=3600, reason="second")
    gate = await one_row(app_conn, "SELECT * FROM iu_core.v_iu_gate WHERE gate_key = $1", PIECES)
    assert (gate["state"], gate["live_leases"], gate["reason"]) == ("leased", 2, "second")
    assert gate["changed_at"] == datetime.fromisoformat(last["opened_at"])
    assert gate["leases_end_at"] - gate["changed_at"] > timedelta(seconds=3601)


async def test_settings_are_no_gates_and_gates_no_settings(app_conn: asyncpg.Connection) -> None:
    rows = await app_conn.fetch("SELECT setting_key, value FROM iu_core.v_iu_setting ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("iu_core.delivery_live_routes", []),
        ("iu_core.unknown_event_types", "inert"),
    ]
    answer = await call(app_conn, "fn_iu_setting_put", COMPOSER, True, "x")
    assert answer == {"status": "setting_not_found", "setting": COMPOSER}
    assert await state(app_conn, COMPOSER) == "closed"
