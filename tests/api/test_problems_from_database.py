"""What the database answers or raises, as refusals."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import sqlalchemy.exc
import structlog

from app.db import engine
from app.db.engine import Transaction
from app.errors import CATALOGUE, ContractError, Refusal
from app.problems import refusal_from_database_error, refusal_from_status
from app.refusals.gates import GATE_KEYS, gate_code
from tests.support.databases import Database

RAISING = """
    CREATE FUNCTION iu_core.raises(p_state text, p_message text, p_detail text) RETURNS text
    LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION USING ERRCODE = p_state, MESSAGE = p_message, DETAIL = p_detail;
    END $$;
    GRANT EXECUTE ON FUNCTION iu_core.raises TO iu_app
"""


@pytest.fixture
async def pool(database: Database, owner: asyncpg.Connection) -> AsyncIterator[engine.Database]:
    await owner.execute(RAISING)
    pool = engine.Database(database.app_url, pool_size=2, pool_timeout_s=0.2)
    yield pool
    await pool.close()


def told(refusal: Refusal | None) -> tuple[str, int, dict[str, Any]] | None:
    return None if refusal is None else (refusal.code, refusal.status, refusal.members)


# What functions return.


@pytest.mark.parametrize("gate", GATE_KEYS)
def test_a_closed_gate_says_which_and_who_opens_it(gate: str) -> None:
    refusal = refusal_from_status({"status": gate_code(gate)})
    assert told(refusal) == (
        gate_code(gate),
        409,
        {"gate": gate, "resolve": f"/gates/{gate}"},
    )


def test_members_and_detail_come_from_the_function() -> None:
    refusal = refusal_from_status(
        {
            "status": "rolled_back",
            "detail": "It was rolled back yesterday.",
            "rolled_back_by": "ops-anna",
            "reason": None,
        },
        status=410,
    )
    assert told(refusal) == ("rolled_back", 410, {"rolled_back_by": "ops-anna"})
    assert refusal.detail == "It was rolled back yesterday."


def test_errors_of_a_function_are_places_in_the_body() -> None:
    refusal = refusal_from_status(
        {
            "status": "invalid_input",
            "errors": [{"pointer": "/event_id", "rule": "missing", "detail": "is missing"}],
        }
    )
    assert refusal.members["errors"] == [
        {
            "location": "body",
            "pointer": "/event_id",
            "rule": "missing",
            "detail": "is missing",
        }
    ]


def test_members_that_are_not_catalogued_stay_inside_and_are_logged() -> None:
    with structlog.testing.capture_logs() as logs:
        refusal = refusal_from_status({"status": "no_change", "row_id": 17})
    assert told(refusal) == ("no_change", 409, {})
    assert logs == [
        {
            "event": "refusal_members_not_catalogued",
            "log_level": "warning",
            "code": "no_change",
            "members": ["row_id"],
        }
    ]


def test_a_function_that_is_overloaded_says_when_to_come_back() -> None:
    refusal = refusal_from_status({"status": "overloaded"})
    assert told(refusal) == ("overloaded", 503, {"retry_after": 1})


@pytest.mark.parametrize("status", ["ok", "surprise", None, 7])
def test_a_status_that_is_no_refusal_is_a_defect(status: Any) -> None:
    with pytest.raises(ContractError, match="which is no refusal"):
        refusal_from_status({"status": status})


def test_a_missing_member_is_a_defect() -> None:
    with pytest.raises(ContractError, match=r"needs the members \['fields'\]"):
        refusal_from_status({"status": "idempotency_conflict"})


# What PostgreSQL and the driver raise.


@pytest.mark.parametrize("lane", ["sqlalchemy", "asyncpg"])
@pytest.mark.parametrize(
    ("state", "message", "detail", "expected"),
    [
        (
            "PF001",
            "already_exists",
            '{"key": "tpl:wf:onboarding"}',
            ("already_exists", 409, {"key": "tpl:wf:onboarding"}),
        ),
        ("PF002", "no_change", "", ("no_change", 409, {})),
        ("PF409", "nobody catalogued this", "", None),
        ("40001", "could not serialize", "", ("overloaded", 503, {"retry_after": 1})),
        ("40P01", "deadlock detected", "", ("overloaded", 503, {"retry_after": 1})),
        ("55P03", "lock not available", "", ("overloaded", 503, {"retry_after": 1})),
        ("57014", "canceling statement", "", ("overloaded", 503, {"retry_after": 1})),
        ("53200", "out of shared memory", "", ("overloaded", 503, {"retry_after": 1})),
        ("53300", "too many clients", "", ("database_unavailable", 503, {"retry_after": 1})),
        ("57P01", "terminating", "", ("database_unavailable", 503, {"retry_after": 1})),
        ("08006", "connection failure", "", ("database_unavailable", 503, {"retry_after": 1})),
        ("25006", "read-only transaction", "", ("database_unavailable", 503, {"retry_after": 1})),
        ("42501", "permission denied", "", None),
        ("23505", "duplicate key", "", None),
        ("22P05", "untranslatable character", "", None),
    ],
)
async def test_what_postgresql_raises(
    pool: engine.Database,
    lane: str,
    state: str,
    message: str,
    detail: str,
    expected: tuple[str, int, dict[str, Any]] | None,
) -> None:
    async def raising(transaction: Transaction) -> Any:
        return await transaction.call("raises", state, message, detail)

    async def through_asyncpg() -> Any:
        return await pool.fetch("SELECT iu_core.raises($1, $2, $3)", state, message, detail)

    lanes: dict[str, tuple[type[Exception], Callable[[], Awaitable[Any]]]] = {
        "sqlalchemy": (sqlalchemy.exc.DBAPIError, lambda: pool.run(raising)),
        "asyncpg": (asyncpg.PostgresError, through_asyncpg),
    }
    kind, call = lanes[lane]
    with pytest.raises(kind) as caught:
        await call()
    assert told(refusal_from_database_error(caught.value)) == expected


async def test_a_killed_connection_is_the_databases_trouble(
    pool: engine.Database, observer: asyncpg.Connection
) -> None:
    async def killed(transaction: Transaction) -> Any:
        pid = await transaction.call("own_pid")
        await observer.execute("SELECT pg_terminate_backend($1)", pid)
        return await transaction.call("own_pid")

    await observer.execute(
        "CREATE FUNCTION iu_core.own_pid() RETURNS int LANGUAGE sql RETURN pg_backend_pid();"
        "GRANT EXECUTE ON FUNCTION iu_core.own_pid TO iu_app"
    )
    with pytest.raises(sqlalchemy.exc.DBAPIError) as caught:
        await pool.run(killed)
    assert told(refusal_from_database_error(caught.value)) == (
        "database_unavailable",
        503,
        {"retry_after": 1},
    )


async def test_nothing_free_in_the_pool_is_the_databases_trouble(pool: engine.Database) -> None:
    async def nested(transaction: Transaction, depth: int = 2) -> Any:
        if depth:
            return await pool.run(lambda inner: nested(inner, depth - 1))
        return None

    with pytest.raises(sqlalchemy.exc.TimeoutError) as caught:
        await pool.run(nested)
    assert told(refusal_from_database_error(caught.value)) == (
        "database_unavailable",
        503,
        {"retry_after": 1},
    )


async def test_nobody_listening_is_the_databases_trouble() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        pool = engine.Database(f"postgresql://x:y@127.0.0.1:{closed.getsockname()[1]}/z")
        with pytest.raises(OSError) as caught:
            await pool.fetch("SELECT 1")
        await pool.close()
    assert told(refusal_from_database_error(caught.value)) == (
        "database_unavailable",
        503,
        {"retry_after": 1},
    )


async def test_a_missing_socket_is_the_databases_trouble_and_a_missing_file_is_ours(
    tmp_path: Any,
) -> None:
    pool = engine.Database(f"postgresql://x:y@/z?host={tmp_path}")
    with pytest.raises(FileNotFoundError) as socket_missing:
        await pool.fetch("SELECT 1")
    await pool.close()
    with pytest.raises(FileNotFoundError) as file_missing:
        (tmp_path / "nothing").read_text()
    assert told(refusal_from_database_error(socket_missing.value)) == (
        "database_unavailable",
        503,
        {"retry_after": 1},
    )
    assert refusal_from_database_error(file_missing.value) is None


# The catalogue itself.


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"code": "surprise"}, "no refusal is called 'surprise'"),
        ({"code": "no_change", "status": 418}, "no_change is not answered with 418"),
        ({"code": "no_change", "colour": "red"}, r"does not name the members \['colour'\]"),
        ({"code": "gate_sealed"}, r"gate_sealed needs the members \['gate'\]"),
    ],
)
def test_a_refusal_is_one_of_the_catalogue(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ContractError, match=why):
        Refusal(**arguments)


def test_the_catalogue_names_codes_once_and_in_words() -> None:
    assert all(code == spec.code and code.islower() for code, spec in CATALOGUE.items())
    assert len({spec.title for spec in CATALOGUE.values()}) == len(CATALOGUE)
