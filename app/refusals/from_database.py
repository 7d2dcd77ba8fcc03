"""What the database answers or raises, as refusals. Both lanes of 2-design §6 end here.

A function that refuses *returns* `{"status": code, ...members}`; what had to be undone is *raised*
with SQLSTATE `PF` and three characters, the code as MESSAGE and its members as a JSON object in
DETAIL. Everything else that PostgreSQL or the driver raises is the database's own trouble.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import sqlalchemy.exc
import structlog

from app.errors import ContractError, Refusal
from app.refusals import CATALOGUE
from app.refusals.gates import GATE_KEYS, gate_code, resolve_link
from app.refusals.spec import Kind
from app.refusals.unavailable import RETRY_AFTER_SECONDS

log = structlog.get_logger(__name__)

_GATES_BY_CODE = {gate_code(gate): gate for gate in GATE_KEYS}

# The service retries these a bounded number of times with the same key (2-design §7); who sees
# them here has used that up: serialization, deadlock, lock and statement timeout, idle in
# transaction, disk full, out of memory, configured limit.
_CONTENTION = frozenset({"40001", "40P01", "55P03", "57014", "25P03", "53100", "53200", "53400"})

# Nothing can be done through this connection, or on this server, for now: no such database,
# refused login, a standby that takes no writes, too many connections.
_UNREACHABLE = frozenset({"3D000", "28000", "28P01", "25006", "53300"})
_UNREACHABLE_CLASSES = ("08", "57P0")

# A migration ran beside us, and every retry met the plan from before it.
_OUTDATED_PLANS = (
    asyncpg.exceptions.InvalidCachedStatementError,
    asyncpg.exceptions.OutdatedSchemaCacheError,
)


def refusal_from_status(
    payload: Mapping[str, Any], *, status: int | None = None, detail: str | None = None
) -> Refusal:
    """The refusal that a SQL function returned as `{"status": code, ...members}`.

    Takes the function's answer, and the HTTP status where the code has several. Gates get their
    `gate` and `resolve`. Members that the catalogue does not name are not passed on, and logged.

    Raises ContractError when the status is no refusal, or a member that it needs is missing.
    """
    code = payload.get("status")
    spec = CATALOGUE.get(code) if isinstance(code, str) else None
    if spec is None:
        raise ContractError(f"a function answered {code!r}, which is no refusal")
    named = {member.name for member in spec.members}
    members = {
        name: value for name, value in payload.items() if name in named and value is not None
    }
    if dropped := payload.keys() - named - {"status", "detail"}:
        log.warning("refusal_members_not_catalogued", code=spec.code, members=sorted(dropped))
    if gate := _GATES_BY_CODE.get(spec.code):
        members = {"gate": gate, "resolve": resolve_link(gate), **members}
    if spec.kind is Kind.UNAVAILABLE:
        members.setdefault("retry_after", RETRY_AFTER_SECONDS)
    if isinstance(errors := members.get("errors"), list):
        members["errors"] = [{"location": "body", **error} for error in errors]
    said = detail or payload.get("detail")
    return Refusal(spec.code, said, status=status, **members)


def refusal_from_database_error(error: BaseException) -> Refusal | None:
    """The refusal that stands for what the driver raised; None when it is a defect of ours.

    Takes asyncpg's exceptions, SQLAlchemy's around them, and what the operating system says of a
    connection. Contention answers `overloaded`, a lost connection `database_unavailable`.
    """
    for link in _chain(error):
        sqlstate = getattr(link, "sqlstate", None)
        if isinstance(link, _OUTDATED_PLANS):
            return Refusal("overloaded", retry_after=RETRY_AFTER_SECONDS)
        if isinstance(sqlstate, str):
            if sqlstate.startswith("PF"):
                if refusal := _raised_refusal(link):
                    return refusal
            elif sqlstate in _CONTENTION:
                return Refusal("overloaded", retry_after=RETRY_AFTER_SECONDS)
            elif sqlstate in _UNREACHABLE or sqlstate.startswith(_UNREACHABLE_CLASSES):
                return unavailable()
        elif _is_lost_connection(link):
            return unavailable()
    return None


def unavailable(detail: str | None = None) -> Refusal:
    """`database_unavailable`, with its Retry-After."""
    return Refusal("database_unavailable", detail, retry_after=RETRY_AFTER_SECONDS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, and those that it wraps: SQLAlchemy's `orig`, and Python's causes."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        wrapped = getattr(link, "orig", None)
        link = wrapped if isinstance(wrapped, BaseException) else link.__cause__


def _raised_refusal(error: BaseException) -> Refusal | None:
    code = getattr(error, "message", None) or str(error)
    if code not in CATALOGUE:
        return None
    detail = getattr(error, "detail", None)
    members = json.loads(detail) if detail else {}
    return refusal_from_status({**members, "status": code})


def _is_lost_connection(error: BaseException) -> bool:
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return True  # nothing in the pool became free in time
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return True
    if type(error) is asyncpg.InterfaceError:
        return "clos" in str(error)  # asyncpg has one class for misuse and for a closed connection
    # A file that is missing names itself; a socket that refuses does not.
    return isinstance(error, OSError) and error.filename is None
