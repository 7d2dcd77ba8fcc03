"""What the database answers or raises, as refusals. Both lanes of 2-design §6 end here.

A function that refuses *returns* `{"status": code, ...members}`; what had to be undone is *raised*
with SQLSTATE `PF` and three characters, the code as MESSAGE and its members as a JSON object in
DETAIL. Everything else that PostgreSQL or the driver raises is the database's own trouble.
"""

import json
from collections.abc import Mapping
from typing import Any

import structlog

from app.db.failures import cause_of, is_undone, is_unreachable, sqlstate_of
from app.errors import ContractError, Refusal
from app.refusals import CATALOGUE
from app.refusals.gates import GATE_KEYS, gate_code, resolve_link
from app.refusals.spec import Kind
from app.refusals.unavailable import RETRY_AFTER_SECONDS

log = structlog.get_logger(__name__)

_GATES_BY_CODE = {gate_code(gate): gate for gate in GATE_KEYS}

# Beside what app.db.failures retries and recognises. Contention: idle in transaction, disk full,
# out of memory, a configured limit. Unreachable: no such database, a refused login, a standby.
_CONTENTION = frozenset({"25P03", "53100", "53200", "53400"})
_UNREACHABLE = frozenset({"3D000", "28000", "28P01", "25006"})


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
    refusal = Refusal(spec.code, said, status=status, **members)
    refusal.is_recorded = True
    return refusal


def refusal_from_database_error(error: BaseException) -> Refusal | None:
    """The refusal that stands for what the driver raised; None when it is a defect of ours.

    Takes asyncpg's exceptions, SQLAlchemy's around them, and what the operating system says of a
    connection. A lost connection, or none to spare, answers `database_unavailable`; contention
    that outlived its retries answers `overloaded` (2-design §7).
    """
    if isinstance(error, OSError) and error.filename is not None:
        return None  # a file of ours is missing; a socket that refuses has no name
    sqlstate = sqlstate_of(error) or ""
    if sqlstate.startswith("PF"):
        return _raised_refusal(cause_of(error))
    if is_unreachable(error) or sqlstate in _UNREACHABLE:
        return unavailable()
    if is_undone(error) or sqlstate in _CONTENTION:
        return Refusal("overloaded", retry_after=RETRY_AFTER_SECONDS)
    return None


def unavailable(detail: str | None = None) -> Refusal:
    """`database_unavailable`, with its Retry-After."""
    return Refusal("database_unavailable", detail, retry_after=RETRY_AFTER_SECONDS)


def _raised_refusal(error: BaseException) -> Refusal | None:
    code = getattr(error, "message", None)
    if code not in CATALOGUE:
        return None
    detail = getattr(error, "detail", None)
    members = json.loads(detail) if detail else {}
    refusal = refusal_from_status({**members, "status": code})
    refusal.is_recorded = False  # it was undone with everything else
    return refusal
