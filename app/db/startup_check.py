"""What the service needs of its database, looked at before the first request.

The service's login must be able to do everything that it is there for and nothing beyond; a
release is lost more quickly to a missing right than to a fault in the code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

import app
from app.db.migrations import MigratedByNewer, compare, version_key
from app.db.schema_files import MigrationTree, read_tree, root
from app.db.schema_state import OWNER, SCHEMA, InstalledObject, InstalledSchema

SERVICE_ROLE = "iu_app"
OLDEST_MAJOR = 15

_MIGRATE = "run `factory migrate`"
_AGAIN = "run `factory migrate --again`, which creates and grants everything anew"
_BOOTSTRAP = "run `factory bootstrap` as a superuser"


@dataclass(frozen=True)
class Finding:
    """Something that is missing, or too much, and what to do about it."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        """One sentence each."""
        return f"{self.problem} Remedy: {self.remedy}."


async def startup_check(
    url: str,
    *,
    disposable_data: bool = False,
    tree: Path | None = None,
    program: str = app.__version__,
) -> list[Finding]:
    """Look at the database through the service's own login; answer what is wrong, or nothing.

    `disposable_data` allows a server that may lose commits. Changes nothing. Raises asyncpg's
    and the operating system's errors where the database can't be reached at all.
    """
    connection = await asyncpg.connect(url)
    try:
        findings = [*_server(connection), *await _settings(connection, disposable_data)]
        (login,) = await connection.fetch(_LOGIN, OWNER, SERVICE_ROLE, SCHEMA)
        findings += _login(login)
        if not login["bootstrapped"] or not login["serves"]:
            # Everything else would only say the same again, object by object.
            return findings
        return findings + await _schema(connection, read_tree(tree or root()), program)
    finally:
        await connection.close()


def _server(connection: asyncpg.Connection) -> Iterable[Finding]:
    major = connection.get_server_version().major
    if major < OLDEST_MAJOR:
        yield Finding(
            f"The server is PostgreSQL {major}.", f"use PostgreSQL {OLDEST_MAJOR} or newer"
        )


async def _settings(connection: asyncpg.Connection, disposable_data: bool) -> list[Finding]:
    findings = []
    isolation = await connection.fetchval("SHOW default_transaction_isolation")
    if isolation != "read committed":
        findings.append(
            Finding(
                f"Transactions start as {isolation}, and claiming keys relies on READ COMMITTED.",
                f"{_BOOTSTRAP}, and remove the setting from the login",
            )
        )
    if not disposable_data:
        findings += [
            Finding(
                f"{setting} is off: a crash would lose what was answered as done.",
                f"switch {setting} on, or say FACTORY_DISPOSABLE_DATA=true",
            )
            for setting in ("fsync", "synchronous_commit")
            if await connection.fetchval("SELECT current_setting($1)", setting) == "off"
        ]
    return findings


def _login(login: asyncpg.Record) -> Iterable[Finding]:
    name = login["name"]
    if not login["bootstrapped"]:
        yield Finding(f"The roles or the schema {SCHEMA} are not there.", _BOOTSTRAP)
        return
    other = f"set FACTORY_DATABASE_URL to a login of {SERVICE_ROLE}"
    if login["superuser"]:
        yield Finding(f"The service's login {name} is a superuser.", other)
    elif login["owns"]:
        yield Finding(f"The service's login {name} is {OWNER} or a member of it.", other)
    if not login["serves"]:
        yield Finding(
            f"The login {name} does not have the rights of {SERVICE_ROLE}.",
            f"GRANT {SERVICE_ROLE} TO {name}",
        )


async def _schema(
    connection: asyncpg.Connection, files: MigrationTree, program: str
) -> list[Finding]:
    access = await connection.fetchval(_BOOKKEEPING, SCHEMA)
    if access is None:
        return [Finding("The database has not been migrated.", _MIGRATE)]
    if not access:
        return [Finding(f"The service may not look into the schema {SCHEMA}.", _AGAIN)]
    schema, min_program = await _installed(connection)
    if version_key(program) < version_key(min_program):
        return [
            Finding(
                f"The database needs program {min_program} or newer; this is {program}.",
                f"install program {min_program} or newer",
            )
        ]
    try:
        todo = compare(files, schema, program)
    except MigratedByNewer:
        pass  # min_program allows it; what this program needs is looked at below
    else:
        if todo:
            return [
                Finding(
                    f"The database is behind this program {program}: "
                    f"revisions to run: {len(todo.revisions)}, files to apply: "
                    f"{len(todo.changed + todo.added + todo.removed)}.",
                    _MIGRATE,
                )
            ]
    return await _rights(connection, files)


async def _installed(connection: asyncpg.Connection) -> tuple[InstalledSchema, str]:
    (version,) = await connection.fetch(
        "SELECT revision, migrated_by, min_program FROM iu_core.v_iu_schema_version"
    )
    rows = await connection.fetch(
        "SELECT object_path, object_kind, object_identity, checksum"
        "  FROM iu_core.v_iu_schema_object"
    )
    schema = InstalledSchema(
        revision=version["revision"],
        migrated_by=version["migrated_by"],
        objects=tuple(InstalledObject(*row) for row in rows),
        bookkeeping=True,
    )
    return schema, version["min_program"]


async def _rights(connection: asyncpg.Connection, files: MigrationTree) -> list[Finding]:
    """Compare what the files grant to the service with what it may really do."""
    may = {
        (row["kind"], row["name"]): row["may"] for row in await connection.fetch(_RIGHTS, SCHEMA)
    }
    findings = []
    for file in files.objects:
        if SERVICE_ROLE not in file.grantees:
            continue
        name = f"The {file.kind} {SCHEMA}.{file.name}"
        allowed = may.get((file.kind, file.name))
        if allowed is None:
            findings.append(Finding(f"{name} is not there.", _AGAIN))
        elif not allowed:
            findings.append(Finding(f"{name} may not be used by the service.", _AGAIN))
    findings += [
        Finding(
            f"The service may write to {SCHEMA}.{row['name']} directly, past every gate.",
            f"take back what was granted to the login itself, and {_AGAIN}",
        )
        for row in await connection.fetch(_WRITABLE, SCHEMA)
    ]
    return findings


_LOGIN = """
    SELECT current_user AS name,
           r.rolsuper AS superuser,
           b.ready AS bootstrapped,
           b.ready AND pg_has_role(current_user, o.oid, 'MEMBER') AS owns,
           b.ready AND pg_has_role(current_user, s.oid, 'USAGE') AS serves
      FROM pg_catalog.pg_roles AS r
      LEFT JOIN pg_catalog.pg_roles AS o ON o.rolname = $1
      LEFT JOIN pg_catalog.pg_roles AS s ON s.rolname = $2
     CROSS JOIN LATERAL (
           SELECT o.oid IS NOT NULL AND s.oid IS NOT NULL
                  AND to_regnamespace($3) IS NOT NULL AS ready) AS b
     WHERE r.rolname = current_user
"""

# NULL where the views are not there, else whether the service may read them.
_BOOKKEEPING = """
    SELECT bool_and(has_schema_privilege(c.relnamespace, 'USAGE')
                    AND has_table_privilege(c.oid, 'SELECT'))
      FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = to_regnamespace($1)
       AND c.relname IN ('v_iu_schema_version', 'v_iu_schema_object')
    HAVING count(*) = 2
"""

_RIGHTS = """
    SELECT 'function' AS kind, p.proname AS name,
           bool_and(has_function_privilege(p.oid, 'EXECUTE')) AS may
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronamespace = to_regnamespace($1)
     GROUP BY p.proname
     UNION ALL
    SELECT 'view', c.relname, has_table_privilege(c.oid, 'SELECT')
      FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'v'
"""

_WRITABLE = """
    SELECT c.relname AS name
      FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p', 'v')
       AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
     ORDER BY c.relname
"""
