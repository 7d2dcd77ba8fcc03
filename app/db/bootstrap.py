"""The one step that needs a superuser: roles, database, schema, and what nobody may do.

It may be run again at any time; it brings back what it sets and leaves everything else alone.
What the platform does not let its administrator do comes back as a warning in words.
"""

import base64
import hashlib
import hmac
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg

from app.db.schema_state import LOCK_CLASS, OWNER, SCHEMA

ROLES = (OWNER, "iu_app", "iu_reader")

# Advisory locks are how gates and actors are locked: whoever could take them could hold up
# every composition.
_ADVISORY_FUNCTIONS = """
    SELECT p.oid::regprocedure::text AS identity,
           has_function_privilege('public', p.oid, 'EXECUTE') AS public_may
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace
       AND (p.proname LIKE 'pg\\_advisory\\_%' OR p.proname LIKE 'pg\\_try\\_advisory\\_%')
     ORDER BY 1
"""


class BootstrapError(Exception):
    """The database can't be prepared as it is; the message says what to do."""


@dataclass
class BootstrapReport:
    """What was done, and `warnings` about what could not be, each a sentence for the operator."""

    database: str
    created_database: bool = False
    warnings: list[str] = field(default_factory=list)


def with_database(url: str, database: str) -> str:
    """The same server and login, another database."""
    parts = urllib.parse.urlsplit(url)
    # urlunsplit would drop the empty host of postgresql:///name?host=/socket/directory.
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}/{urllib.parse.quote(database, safe='')}{query}"


async def bootstrap(
    superuser_url: str,
    *,
    database: str | None = None,
    passwords: Mapping[str, str] | None = None,
) -> BootstrapReport:
    """Prepare the database that the URL names, or `database` on the same server.

    `database` is created if it is not there. `passwords` maps role names to the passwords they
    shall have; a role that is not in it keeps the one it has (a new one can't log in by
    password).

    Raises BootstrapError where the database is unusable (not UTF-8, older than PostgreSQL 15)
    and asyncpg's errors where the login lacks a right without which nothing works.
    """
    if unknown := sorted(set(passwords or ()) - set(ROLES)):
        raise BootstrapError(f"No such role: {', '.join(unknown)}. The roles: {', '.join(ROLES)}.")
    created = database is not None and await _create_database(superuser_url, database)
    url = superuser_url if database is None else with_database(superuser_url, database)
    connection = await asyncpg.connect(url)
    try:
        report = BootstrapReport(
            database=await connection.fetchval("SELECT current_database()"),
            created_database=created,
        )
        await _require_usable(connection)
        async with connection.transaction():
            await _one_at_a_time(connection)
            await _prepare_roles(connection, passwords or {}, report)
            await _prepare_schema(connection, report)
            await configure_database(connection, report.database)
            await _reserve_advisory_locks(connection, report)
        return report
    finally:
        await connection.close()


async def configure_database(connection: asyncpg.Connection, database: str) -> None:
    """Set what belongs to the database as such, which a clone of it does not inherit.

    Who may connect, that nobody makes temporary objects, and how sessions start. Takes a
    superuser's connection to any database of the server.
    """
    name = await connection.fetchval("SELECT quote_ident($1)", database)
    await connection.execute(f"""
        REVOKE ALL ON DATABASE {name} FROM PUBLIC;
        GRANT CONNECT ON DATABASE {name} TO {", ".join(ROLES)};
        ALTER DATABASE {name} SET search_path = {SCHEMA}, public;
        ALTER DATABASE {name} SET default_transaction_isolation = 'read committed';
        ALTER DATABASE {name} SET default_transaction_read_only = off;
        ALTER DATABASE {name} SET timezone = 'UTC';
    """)


async def _create_database(superuser_url: str, database: str) -> bool:
    connection = await asyncpg.connect(superuser_url)
    try:
        if await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database
        ):
            return False
        name = await connection.fetchval("SELECT quote_ident($1)", database)
        try:
            # Sorting by code point is the same on every machine and in every release.
            await connection.execute(
                f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
            )
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            return False  # somebody else was faster
        return True
    finally:
        await connection.close()


async def _require_usable(connection: asyncpg.Connection) -> None:
    if connection.get_server_version().major < 15:
        raise BootstrapError(
            f"PostgreSQL {connection.get_server_version().major} is too old: take 15 or newer."
        )
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise BootstrapError(
            f"The database's encoding is {encoding}, and texts are stored as they come: "
            "create it with ENCODING 'UTF8'."
        )


async def _one_at_a_time(connection: asyncpg.Connection) -> None:
    """Let two bootstraps follow each other; changing a role twice at once is an error.

    Roles are the server's, and advisory locks a database's: only a lock on the shared table of
    roles holds for two databases. An administrator who is no superuser can't have that one.
    """
    if await connection.fetchval("SELECT current_setting('is_superuser')::boolean"):
        await connection.execute("LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE")
    else:
        await connection.execute(f"SELECT pg_catalog.pg_advisory_xact_lock({LOCK_CLASS}, 1)")


async def _prepare_roles(
    connection: asyncpg.Connection, passwords: Mapping[str, str], report: BootstrapReport
) -> None:
    for role in ROLES:
        existing = await connection.fetchrow(
            "SELECT rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole"
            " OR rolreplication OR rolbypassrls) AS as_it_should_be"
            "  FROM pg_roles WHERE rolname = $1",
            role,
        )
        attributes = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        if existing is None:
            # Another database of the same server may be bootstrapped at the same time.
            await connection.execute(f"""
                DO $$ BEGIN
                    CREATE ROLE {role} LOGIN;
                EXCEPTION WHEN duplicate_object OR unique_violation THEN
                    NULL;
                END $$
            """)
        elif not existing["as_it_should_be"]:
            await connection.execute(f"ALTER ROLE {role} {attributes}")
        if role in passwords:
            secret = await connection.fetchval(
                "SELECT quote_literal($1)", scram_verifier(passwords[role])
            )
            await connection.execute(f"ALTER ROLE {role} PASSWORD {secret}")
    # Since PostgreSQL 16 whoever makes a role is a member that may give it away and not act as it.
    acts = "USAGE" if connection.get_server_version().major >= 16 else "MEMBER"
    if not await connection.fetchval("SELECT pg_has_role(current_user, $1, $2)", OWNER, acts):
        # An administrator who is no superuser may only give away what belongs to a role it is in.
        await connection.execute(f"GRANT {OWNER} TO CURRENT_USER")
    for role in ("iu_app", "iu_reader"):
        if await connection.fetchval("SELECT pg_has_role($1, $2, 'MEMBER')", role, OWNER):
            report.warnings.append(
                f"{role} is a member of {OWNER} and could change everything; the service will "
                f"not start so: REVOKE {OWNER} FROM {role}."
            )


async def _prepare_schema(connection: asyncpg.Connection, report: BootstrapReport) -> None:
    owner = await connection.fetchval(
        "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1", SCHEMA
    )
    if owner is None:
        await connection.execute(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {OWNER}")
    elif owner != OWNER:
        await connection.execute(f"ALTER SCHEMA {SCHEMA} OWNER TO {OWNER}")
        report.warnings.append(
            f"The schema {SCHEMA} belonged to {owner}; it belongs to {OWNER} now, but what is in "
            "it may not."
        )
    if await connection.fetchval("SELECT to_regnamespace('public') IS NOT NULL"):
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    # Without IN SCHEMA: the built-in default, EXECUTE to PUBLIC, is a global one, and a default
    # for one schema can only add to it.
    await connection.execute(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
    )


async def _reserve_advisory_locks(connection: asyncpg.Connection, report: BootstrapReport) -> None:
    functions = await connection.fetch(_ADVISORY_FUNCTIONS)
    try:
        async with connection.transaction():
            for function in functions:
                await connection.execute(
                    f"REVOKE EXECUTE ON FUNCTION {function['identity']} FROM PUBLIC;"
                    f"GRANT EXECUTE ON FUNCTION {function['identity']} TO {OWNER}"
                )
    except asyncpg.InsufficientPrivilegeError as error:
        reason = f" ({error.args[0]})"
    else:
        reason = ""
    if any(function["public_may"] for function in await connection.fetch(_ADVISORY_FUNCTIONS)):
        report.warnings.append(
            "Every login of this database may take advisory locks, and so hold up composing: "
            f"the platform does not let them be reserved to {OWNER}{reason}. Let no others in."
        )


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5803), so that the password never leaves here.

    Sent in the clear it could end up in the server's log. Raises BootstrapError for characters
    beyond ASCII, which would have to be normalised first (RFC 4013).
    """
    if not password or not password.isascii():
        raise BootstrapError("A role's password must be of ASCII characters, at least one.")
    salt, iterations = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = {
        name: base64.b64encode(value).decode("ascii")
        for name, value in {"salt": salt, "stored": stored, "server": server}.items()
    }
    return f"SCRAM-SHA-256${iterations}:{text['salt']}${text['stored']}:{text['server']}"
