"""What the database remembers of the files it was made from, and how their objects come and go.

Everything here runs as `iu_owner` inside the one transaction of the runner
(`app.db.migrations`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from app.db.schema_files import Kind, MigrationTree, SchemaFile

SCHEMA = "iu_core"
OWNER = "iu_owner"
REVISION_TABLE = "iu_schema_revision"

# The class `schema` of migrations/functions/fn_iu_lock_class.sql, which can't be called before it
# exists.
LOCK_CLASS = 718000


class ScriptFailed(Exception):  # noqa: N818 (it names what happened, as the other refusals do)
    """PostgreSQL refused a statement of one of our files; nothing of the migration remains.

    `sqlstate` is PostgreSQL's; the message names the file and, where it is known, the line.
    """

    def __init__(self, message: str, sqlstate: str | None) -> None:
        """Take the whole message and PostgreSQL's SQLSTATE."""
        super().__init__(message)
        self.sqlstate = sqlstate


@dataclass(frozen=True)
class InstalledObject:
    """A row of `iu_schema_object`."""

    path: str
    kind: Kind
    identity: str
    checksum: str

    @property
    def name(self) -> str:
        """The object's name without schema and arguments, which is its file's."""
        return self.path.rpartition("/")[2].removesuffix(".sql")


@dataclass(frozen=True)
class InstalledSchema:
    """What is in the database; all empty where it was never migrated.

    `objects` are in the order in which they were created. `migrated_by` is the version of the
    program whose functions and views are installed, None where none are.
    """

    revision: str | None = None
    migrated_by: str | None = None
    objects: tuple[InstalledObject, ...] = ()
    bookkeeping: bool = False


async def execute_script(connection: asyncpg.Connection, path: str, sql: str) -> None:
    """Run all statements of `sql`, the content of the file `path`.

    Raises ScriptFailed with the file and the line.
    """
    try:
        await connection.execute(sql)
    except asyncpg.PostgresError as error:
        position = getattr(error, "position", None)
        line = f" line {sql.count(chr(10), 0, int(position) - 1) + 1}" if position else ""
        parts = [f"{path}{line}: {error.args[0]} (SQLSTATE {error.sqlstate})"]
        parts += [extra for extra in (error.detail, error.hint) if extra]
        raise ScriptFailed("\n".join(parts), error.sqlstate) from error


async def read_installed(connection: asyncpg.Connection) -> InstalledSchema:
    """Read the bookkeeping, with the owner's rights."""
    if await connection.fetchval("SELECT to_regclass('iu_core.iu_schema_object')") is None:
        return InstalledSchema()
    rows = await connection.fetch(
        "SELECT object_path, object_kind, object_identity, checksum"
        "  FROM iu_core.iu_schema_object ORDER BY installed_order"
    )
    return InstalledSchema(
        revision=await connection.fetchval("SELECT version_num FROM iu_core.iu_schema_revision"),
        migrated_by=await connection.fetchval("SELECT migrated_by FROM iu_core.iu_schema_version"),
        objects=tuple(InstalledObject(*row) for row in rows),
        bookkeeping=True,
    )


async def drop_objects(
    connection: asyncpg.Connection, installed: InstalledSchema, keep: frozenset[str]
) -> None:
    """Drop all views, and all functions but those whose path is in `keep`, last made first.

    A function that is to be kept goes too where it can't outlive the views (it returns rows of
    one, for example). A function that something else depends on (a table's default, a trigger)
    stays, to be replaced in place.
    """
    doomed = await _bound_to_views(connection)
    for installed_object in reversed(installed.objects):
        if installed_object.kind == "view":
            await execute_script(
                connection,
                installed_object.path,
                f"DROP VIEW IF EXISTS {installed_object.identity}",
            )
        elif installed_object.kind == "function" and (
            installed_object.path not in keep or installed_object.name in doomed
        ):
            await drop_function(connection, installed_object)


async def drop_function(connection: asyncpg.Connection, installed: InstalledObject) -> None:
    """Drop every overload of the function that nothing depends on any more."""
    identities = await connection.fetch(
        _IDENTITIES
        + """
           AND NOT EXISTS (
               SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass
                  AND d.refobjid = p.oid AND d.deptype = 'n')
        """,
        installed.name,
    )
    for row in identities:
        await execute_script(connection, installed.path, f"DROP ROUTINE {row['identity']}")


async def create_object(connection: asyncpg.Connection, file: SchemaFile) -> str:
    """Run `file` and answer the identity of what it made, to be granted, recorded and dropped by.

    Raises ScriptFailed also where the file did not make exactly the one object of its name.
    """
    await execute_script(connection, file.path, file.sql)
    if file.kind == "view":
        identity = f"iu_core.{file.name}"
        if await connection.fetchval("SELECT to_regclass($1)", identity) is None:
            raise ScriptFailed(f"{file.path} did not make the view {identity}.", None)
        return identity
    identities = await function_identities(connection, file.name)
    if len(identities) != 1:
        raise ScriptFailed(
            f"{file.path} must leave exactly one function iu_core.{file.name}; there are "
            f"{len(identities)}: {', '.join(identities) or 'none'}. (One with other arguments "
            "stays where something still depends on it.)",
            None,
        )
    return identities[0]


async def function_identities(connection: asyncpg.Connection, name: str) -> list[str]:
    """The functions of that name in the schema, with their arguments."""
    return [row["identity"] for row in await connection.fetch(_IDENTITIES, name)]


async def apply_grants(
    connection: asyncpg.Connection, tree: MigrationTree, identities: Sequence[str]
) -> None:
    """Apply every grants file, then what the heads of the objects' files say."""
    for file in tree.grants:
        await execute_script(connection, file.path, file.sql)
    for file, identity in zip(tree.objects, identities, strict=True):
        if file.grantees:
            right = "EXECUTE ON ROUTINE" if file.kind == "function" else "SELECT ON"
            roles = ", ".join(file.grantees)
            await execute_script(connection, file.path, f"GRANT {right} {identity} TO {roles}")


async def record(
    connection: asyncpg.Connection, tree: MigrationTree, identities: Sequence[str], program: str
) -> None:
    """Remember what is installed now, and by which program."""
    await connection.execute("DELETE FROM iu_core.iu_schema_object")
    names = [*identities, *(file.name for file in tree.grants)]
    await connection.executemany(
        "INSERT INTO iu_core.iu_schema_object"
        " (installed_order, object_path, object_kind, object_identity, checksum)"
        " VALUES ($1, $2, $3, $4, $5)",
        [
            (order, file.path, file.kind, identity, file.checksum)
            for order, (file, identity) in enumerate(zip(tree.files, names, strict=True), start=1)
        ],
    )
    await connection.execute("UPDATE iu_core.iu_schema_version SET migrated_by = $1", program)


async def forget_objects(connection: asyncpg.Connection) -> None:
    """Remember that no functions, views and grants are installed."""
    await connection.execute("DELETE FROM iu_core.iu_schema_object")
    await connection.execute("UPDATE iu_core.iu_schema_version SET migrated_by = NULL")


async def _bound_to_views(connection: asyncpg.Connection) -> frozenset[str]:
    """The functions of the schema that can't outlive its views, at whatever distance."""
    rows = await connection.fetch(_DEPENDENCIES)
    bound = {row["referenced"] for row in rows if row["referenced"].startswith("view ")}
    grown = True
    while grown:
        more = {row["dependent"] for row in rows if row["referenced"] in bound} - bound
        bound |= more
        grown = bool(more)
    return frozenset(
        re.sub("^function ", "", name) for name in bound if name.startswith("function ")
    )


_IDENTITIES = """
    SELECT format('%I.%I(%s)', n.nspname, p.proname,
                  pg_catalog.pg_get_function_identity_arguments(p.oid)) AS identity
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
     WHERE n.nspname = 'iu_core' AND p.proname = $1
"""

# Functions by name, not by identity: all overloads of a name share one file.
_DEPENDENCIES = """
    SELECT DISTINCT
           'function ' || p.proname AS dependent,
           COALESCE('view ' || v.relname, 'function ' || f.proname) AS referenced
      FROM pg_catalog.pg_depend AS d
      JOIN pg_catalog.pg_proc AS p
        ON d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid
      LEFT JOIN pg_catalog.pg_type AS t
        ON d.refclassid = 'pg_catalog.pg_type'::regclass AND t.oid = d.refobjid
      LEFT JOIN pg_catalog.pg_type AS e
        ON e.oid = t.typelem AND t.typcategory = 'A'
      LEFT JOIN pg_catalog.pg_class AS v
        ON v.relkind = 'v' AND v.relnamespace = 'iu_core'::regnamespace
       AND (v.oid IN (t.typrelid, e.typrelid)
            OR (d.refclassid = 'pg_catalog.pg_class'::regclass AND v.oid = d.refobjid))
      LEFT JOIN pg_catalog.pg_proc AS f
        ON d.refclassid = 'pg_catalog.pg_proc'::regclass AND f.oid = d.refobjid
       AND f.pronamespace = 'iu_core'::regnamespace
     WHERE d.deptype = 'n' AND p.pronamespace = 'iu_core'::regnamespace
       AND (v.oid IS NOT NULL OR f.oid IS NOT NULL)
"""
