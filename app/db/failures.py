"""What a failed call to PostgreSQL means for whoever made it.

SQLSTATE classes are those of appendix A of PostgreSQL's manual. The errors reach us bare from
asyncpg (the hot path) or wrapped by SQLAlchemy (everything else); both are read here, so that no
one else has to know.
"""

import asyncpg
from sqlalchemy import exc as sa_exc

_WRAPPINGS = (sa_exc.DBAPIError, sa_exc.EmulatedDBAPIException)
_BLOCKED = frozenset({"55P03", "57014"})
_SERIALIZATION = frozenset({"40001", "40P01"})
_CONNECTION_PREFIXES = ("08", "57P0")
_TOO_MANY_CONNECTIONS = "53300"


def cause_of(error: BaseException) -> BaseException:
    """The driver's own error inside SQLAlchemy's wrappings, or the error itself."""
    seen = error
    while isinstance(seen, _WRAPPINGS) and (inner := seen.orig or seen.__cause__):
        seen = inner
    return seen


def sqlstate_of(error: BaseException) -> str | None:
    """The five characters of SQLSTATE, or None where the server said nothing."""
    state = getattr(cause_of(error), "sqlstate", None)
    return state if isinstance(state, str) else None


def is_disconnect(error: BaseException) -> bool:
    """Whether the connection is lost, so that nothing is known about an unanswered COMMIT.

    One that nobody waits for any longer (TimeoutError, which is an OSError) is lost too.
    """
    if isinstance(error, sa_exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = cause_of(error)
    state = sqlstate_of(error)
    if state is not None and state.startswith(_CONNECTION_PREFIXES):
        return True
    # asyncpg has no class of its own for "connection is closed"; the other InterfaceErrors are
    # mistakes in the call.
    closed = isinstance(cause, asyncpg.InterfaceError) and "closed" in str(cause)
    # Used after the server said that it ends the connection, and before it was ended.
    out_of_step = isinstance(cause, asyncpg.InternalClientError) and not isinstance(
        cause, asyncpg.OutdatedSchemaCacheError
    )
    return closed or out_of_step or isinstance(cause, OSError | EOFError)


def is_turned_away(error: BaseException) -> bool:
    """Whether the server had no connection to spare, so that nothing was begun."""
    return sqlstate_of(error) == _TOO_MANY_CONNECTIONS


def is_unreachable(error: BaseException) -> bool:
    """Whether the database can't be reached or has no connection to spare."""
    return is_disconnect(error) or is_turned_away(error) or isinstance(error, sa_exc.TimeoutError)


def is_undone(error: BaseException) -> bool:
    """Whether the server itself undid the transaction and the same call may be sent again."""
    return (
        sqlstate_of(error) in _SERIALIZATION
        or is_blocked(error)
        or isinstance(cause_of(error), asyncpg.exceptions.InvalidCachedStatementError)
    )


def is_blocked(error: BaseException) -> bool:
    """Whether it waited for a lock, or took, longer than its limits allow."""
    return sqlstate_of(error) in _BLOCKED
