"""The twelve probes on a live database: what they answer, and that nothing remains of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tests.support.composing import Item, compose_one
from tests.support.contents import contents
from tests.support.delivery import make_route, open_boundary
from tests.support.gates import COMPOSER, LIVE, close, history, lease, open_gate, state
from tests.support.interleaving import Racer, racing
from tests.support.mutation import take_out
from tests.support.templates import make_template, open_gates

ATTACHED = {"status": "ok", "pieces_attached": 5, "digest_matches_template": True}

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "C1": ("no event id", {"status": "invalid_input"}),
    "C2": ("emit mode shadow", {"status": "invalid_emit_mode"}),
    "C3": ("live, its gate closed", {"status": "live_gate_closed", "gate": LIVE}),
    "C4": (
        "dry run, the composer's gate closed",
        {"status": "composer_gate_closed", "gate": COMPOSER},
    ),
    "C5": ("a collection that is no template", {"status": "template_not_marked"}),
    "C6": ("an unknown template id", {"status": "template_collection_not_found"}),
    "C7": ("dry run, all well", ATTACHED),
    "C8": ("the same event, template and suffix twice", {"status": "idempotent_replay"}),
    "C9": ("live, both gates open", ATTACHED),
    "C10": (
        "rollback by actor, dry run",
        {"status": "ok", "dry_run": True, "instances": 1, "lineage_rows": 1, "log_rows": 1},
    ),
    "C11": ("afterwards, log rows of the probes", {"log_rows": 0}),
    "C12": ("afterwards, both gates", {LIVE: "closed", COMPOSER: "closed"}),
}

SEALED = "a sealed gate opens to nobody, and not to a probe"
CLOSED = "somebody closed a gate meanwhile: probe again"
CHANGED = "a gate changed meanwhile, and not by the probes"

OPENED = {"C5", "C6", "C7", "C8", "C9", "C10"}
"""What is asked while the gates are open to the probe."""

PAUSE = """
    CREATE FUNCTION iu_core.pauses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF pg_backend_pid() = TG_ARGV[0]::integer THEN
            PERFORM pg_advisory_xact_lock_shared(4242);
        END IF;
        RETURN NULL;
    END $$
"""


async def probe(connection: asyncpg.Connection) -> dict[str, dict[str, Any]]:
    """The rows of the twelve, by probe and in their order."""
    rows = await connection.fetch("SELECT * FROM iu_core.fn_iu_probe()")
    return {row["probe"]: dict(row) for row in rows}


async def apart(connection: asyncpg.Connection) -> dict[str, str]:
    """The verdicts of those that do not hold."""
    rows = await probe(connection)
    assert list(rows) == list(ANSWERS)
    return {name: row["verdict"] for name, row in rows.items() if row["verdict"] != "holds"}


async def test_each_answers_what_it_must_where_there_is_no_template(
    app_conn: asyncpg.Connection,
) -> None:
    rows = await probe(app_conn)
    again = rows["C8"]["actual"].pop("instance_collection_id")
    assert rows["C8"]["expected"].pop("instance_collection_id") == again
    assert list(rows.values()) == [
        {
            "probe": name,
            "given": given,
            "expected": expected,
            "actual": expected,
            "verdict": "holds",
            "note": None,
        }
        for name, (given, expected) in ANSWERS.items()
    ]


Arrange = Callable[[asyncpg.Connection], Awaitable[object]]


async def _one_is_open(connection: asyncpg.Connection) -> None:
    await open_gate(connection, LIVE)


async def _both_are_open(connection: asyncpg.Connection) -> None:
    await open_gate(connection, LIVE)
    await open_gate(connection, COMPOSER)


async def _leased_to_all(connection: asyncpg.Connection) -> None:
    await lease(connection, LIVE)
    await lease(connection, COMPOSER)


async def _leased_for_one_use(connection: asyncpg.Connection) -> None:
    await lease(connection, LIVE, uses=1)
    await lease(connection, COMPOSER, uses=1)


async def _closed(connection: asyncpg.Connection) -> None:
    await _both_are_open(connection)
    await close(connection, LIVE, COMPOSER)


@pytest.mark.parametrize(
    ("arrange", "states"),
    [
        (_closed, ["closed", "closed"]),
        (_one_is_open, ["open", "closed"]),
        (_both_are_open, ["open", "open"]),
        (_leased_to_all, ["leased", "leased"]),
        (_leased_for_one_use, ["leased", "leased"]),
    ],
)
async def test_all_hold_whatever_state_the_gates_are_in_and_nothing_remains(
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    arrange: Arrange,
    states: list[str],
) -> None:
    await arrange(app_conn)
    before = await contents(owner)
    rows = await probe(app_conn)
    assert {name: row["verdict"] for name, row in rows.items()} == dict.fromkeys(ANSWERS, "holds")
    assert rows["C12"]["actual"] == dict(zip((LIVE, COMPOSER), states, strict=True))
    assert await contents(owner) == before


async def test_nothing_remains_where_messages_may_leave(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await open_boundary(owner)
    await make_route(app_conn)
    template = await make_template(owner)
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "ok"
    before = await contents(owner)
    assert await apart(app_conn) == {}
    assert await contents(owner) == before


# ------------------------------------------------------------------------------- each can fail

READER = ("fn_iu_gate_admission", "WHEN c.config_value = 'true'::jsonb THEN")


@pytest.mark.parametrize(
    ("function", "part", "instead", "differing"),
    [
        (
            "fn_iu_compose_prepare",
            "CASE WHEN i.event_id IS NULL THEN '/event_id' END",
            "NULL",
            {"C1"},
        ),
        (
            "fn_iu_compose_prepare",
            "THEN 'invalid_emit_mode' END",
            "THEN 'invalid_input' END",
            {"C2"},
        ),
        (
            "fn_iu_compose_verdicts",
            "v_kind.emit_mode = 'live' AND NOT v_live_open THEN",
            "false THEN",
            {"C3"},
        ),
        ("fn_iu_compose_verdicts", "NOT v_composer_open THEN", "false THEN", {"C4"}),
        (*READER, "WHEN true THEN", {"C3", "C4"}),
        ("fn_iu_compose_verdicts", "NOT v_found.is_marked OR", "false AND", {"C5"}),
        ("fn_iu_compose_verdicts", "NOT v_found.collection_exists OR", "false AND", {"C6"}),
        ("fn_iu_compose_answer", "coalesce(s.piece_count, i.piece_count)", "4", {"C7", "C9"}),
        ("fn_iu_compose_judge", "ELSE 'idempotent_replay' END", "ELSE 'rolled_back' END", {"C8"}),
        (*READER, "WHEN true THEN NULL WHEN false THEN", OPENED),
        (
            "fn_iu_auto_instantiate_rollback_by_actor",
            "p_actor, p_dry_run,",
            "p_actor, false,",
            {"C10"},
        ),
        (
            "fn_iu_probe_try",
            "RAISE EXCEPTION USING ERRCODE = 'PF003', MESSAGE = 'undo the probes';",
            "RETURN v_asked;",
            {"C11", "C12"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(sorted(value)),
)
async def test_what_a_probe_is_about_makes_it_differ_when_it_is_broken(
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    function: str,
    part: str,
    instead: str,
    differing: set[str],
) -> None:
    await take_out(owner, function, part, instead)
    assert await apart(app_conn) == dict.fromkeys(differing, "differs")


async def test_a_function_that_fails_is_told_with_its_sqlstate_and_the_others_are_asked(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await owner.execute("ALTER TABLE iu_core.event_outbox RENAME COLUMN payload TO lost")
    rows = await probe(app_conn)
    assert {name for name, row in rows.items() if row["verdict"] == "differs"} == {
        "C8",
        "C9",
        "C10",
    }
    assert rows["C9"]["actual"] == {"status": "raised", "sqlstate": "42703"}
    assert rows["C10"]["actual"]["instances"] == 0


async def test_what_a_probe_has_left_is_told_by_the_next_one(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    template = await make_template(owner)
    await open_gates(owner)
    composed = await compose_one(app_conn, Item(template.key, actor="iu-core-probe"))
    assert composed["status"] == "ok"
    await owner.execute(
        "UPDATE iu_core.iu_core_config SET updated_by = 'iu-core-probe' WHERE config_key = $1",
        LIVE,
    )
    rows = await probe(app_conn)
    assert rows["C11"]["actual"] == {"log_rows": 1}
    assert rows["C12"]["actual"] == {LIVE: "open, left by a probe", COMPOSER: "open"}
    assert rows["C10"]["actual"]["instances"] == 2
    assert await apart(app_conn) == dict.fromkeys(("C10", "C11", "C12"), "differs")


# ------------------------------------------------------------------------ sealed, and meanwhile


@pytest.mark.parametrize(
    ("gate", "not_run"), [(LIVE, {"C8", "C9", "C10"}), (COMPOSER, OPENED)], ids=["live", "composer"]
)
async def test_a_sealed_gate_does_not_open_to_a_probe(
    app_conn: asyncpg.Connection, gate: str, not_run: set[str]
) -> None:
    await close(app_conn, gate, seal=True)
    rows = await probe(app_conn)
    told = {name: row["note"] for name, row in rows.items() if row["verdict"] != "holds"}
    assert told == dict.fromkeys(not_run, SEALED)
    assert {rows[name]["verdict"] for name in not_run} == {"not_run"}


@dataclass(slots=True)
class Paused:
    """A probe that is held where it has written to a table."""

    observer: asyncpg.Connection
    probing: Racer[dict[str, dict[str, Any]]]

    async def rows(self) -> dict[str, dict[str, Any]]:
        """Let it go on; what it answers."""
        await self.observer.execute("SELECT pg_advisory_unlock(4242)")
        return await self.probing.result()


@asynccontextmanager
async def paused(
    owner: asyncpg.Connection, observer: asyncpg.Connection, prober: asyncpg.Connection, table: str
) -> AsyncIterator[Paused]:
    """A probe on `prober` that is held; nobody else is who writes to the table."""
    await owner.execute(PAUSE)
    await owner.execute(
        f"""CREATE TRIGGER pauses AFTER INSERT OR UPDATE ON iu_core.{table}
            FOR EACH STATEMENT EXECUTE FUNCTION iu_core.pauses({prober.get_server_pid()})"""
    )
    await observer.execute("SELECT pg_advisory_lock(4242)")
    async with racing(observer, prober, probe(prober)) as probing:
        await probing.blocked(by=observer)
        yield Paused(observer, probing)


async def test_a_gate_that_is_closed_meanwhile_leaves_nothing_to_be_told_of_composing(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await open_gates(owner)
    async with paused(owner, observer, app_conn, "iu_gate_lease") as held:
        await close(second, LIVE, COMPOSER)
        rows = await held.rows()
    assert {name: row["note"] for name, row in rows.items() if row["verdict"] == "not_run"} == (
        dict.fromkeys(OPENED, CLOSED)
    )
    assert (rows["C12"]["verdict"], rows["C12"]["note"]) == ("holds", CHANGED)
    assert rows["C12"]["actual"] == {LIVE: "closed", COMPOSER: "closed"}
    assert {row["verdict"] for row in rows.values()} == {"holds", "not_run"}


async def test_a_gate_that_is_opened_meanwhile_is_not_laid_to_the_probes(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    async with paused(owner, observer, app_conn, "event_outbox") as held:
        await open_gate(second, LIVE)
        rows = await held.rows()
    assert {row["verdict"] for row in rows.values()} == {"holds"}
    assert rows["C12"]["actual"] == {LIVE: "open", COMPOSER: "closed"}
    assert rows["C12"]["note"] == CHANGED


# ------------------------------------------------------------------------------- beside others


@pytest.mark.parametrize("table", ["event_outbox", "iu_core_config"], ids=["open", "closed"])
async def test_the_view_of_a_probe_is_nobody_elses(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    table: str,
) -> None:
    template = await make_template(owner)
    await open_gate(second, LIVE)
    await lease(second, COMPOSER, uses=1)
    async with paused(owner, observer, app_conn, table) as held:
        assert [await state(second, gate) for gate in (LIVE, COMPOSER)] == ["open", "leased"]
        assert (await compose_one(second, Item(template.key)))["status"] == "ok"
        refused = await compose_one(second, Item(template.key))
        assert refused["status"] == "composer_gate_closed"
        rows = await held.rows()
    assert {row["verdict"] for row in rows.values()} == {"holds"}
    assert rows["C12"]["note"] == CHANGED, "the lease is used up"


async def test_gates_are_opened_leased_closed_and_probed_beside_a_probe(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    async with paused(owner, observer, app_conn, "event_outbox") as held:
        assert (await open_gate(second, LIVE))["status"] == "ok"
        assert (await lease(second, COMPOSER))["status"] == "ok"
        assert (await close(second, LIVE, COMPOSER))["status"] == "ok"
        assert await apart(second) == {}
        assert not held.probing.done
        rows = await held.rows()
    assert {row["verdict"] for row in rows.values()} == {"holds"}, "a known key is answered first"
    assert [action for action, _ in await history(owner, LIVE)] == ["open", "close"]


async def test_a_closing_waits_for_a_probe_while_that_asks_at_closed_gates(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await open_gates(owner)
    async with (
        paused(owner, observer, app_conn, "iu_core_config") as held,
        racing(observer, second, close(second, LIVE)) as closing,
    ):
        await closing.blocked(by=app_conn)
        rows = await held.rows()
        assert (await closing.result())["gates"][0]["changed"] is True
    assert {row["verdict"] for row in rows.values()} == {"holds"}


@pytest.mark.parametrize(
    "table",
    [
        "information_unit",
        "iu_collection_template_registry",
        "iu_command_record",
        "iu_gate_lease",
        "iu_auto_instantiate_event_log",
        "event_outbox",
        "iu_template_counter",
        "iu_core_config",
    ],
)
async def test_nothing_remains_of_a_probe_whose_server_process_is_killed(
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    table: str,
) -> None:
    await open_gates(owner)
    before = await contents(owner)
    async with paused(owner, observer, app_conn, table) as held:
        killed = await observer.fetchval(
            "SELECT pg_terminate_backend($1, 10000)", app_conn.get_server_pid()
        )
        assert killed
        with pytest.raises(asyncpg.PostgresError):
            await held.rows()
    assert await contents(owner) == before


async def test_a_lock_that_a_probe_does_not_get_is_no_answer(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await app_conn.execute("SET lock_timeout = '1ms'")
    async with owner.transaction():
        await owner.execute(
            "SELECT iu_core.fn_iu_lock('outbound_routes', '{outbound_routes}', false)"
        )
        with pytest.raises(asyncpg.LockNotAvailableError):
            await probe(app_conn)
    await app_conn.execute("RESET lock_timeout")
    assert await apart(app_conn) == {}
