"""The migration runner: revisions, functions, views and grants, in one transaction.

Tables are history: numbered revisions, run by Alembic (`app.db.revisions`). Functions and views
are state: one file each (`app.db.schema_files`), created again from the files whenever anything
is pending. `migrate` is what `factory migrate` runs; the service only looks (`pending`, and
`app.db.startup_check`). A failing script leaves nothing: there is one transaction, and
PostgreSQL's DDL is part of it.

A downgrade leaves the tables at the revision asked for and *no* functions and views: those of
this program belong to its newest tables. The program of the older release installs its own with
its `factory migrate`.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

import app
from app.db import revisions
from app.db.revisions import run_script
from app.db.schema_files import MigrationTree, MigrationTreeError, read_tree, root
from app.db.schema_state import (
    LOCK_CLASS,
    OWNER,
    SCHEMA,
    InstalledSchema,
    ScriptFailed,
    apply_grants,
    create_object,
    drop_function,
    drop_objects,
    execute_script,
    forget_objects,
    function_identities,
    read_installed,
    record,
)

__all__ = [
    "DowngradeRefused",
    "MigratedByNewer",
    "MigrationError",
    "MigrationReport",
    "MigrationTreeError",
    "Pending",
    "ScriptFailed",
    "compare",
    "downgrade",
    "migrate",
    "pending",
    "root",
    "run_script",
    "version_key",
]

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "15min"


class MigrationError(Exception):
    """The database can't be migrated as it is; the message says what to do. Nothing was changed."""


class DowngradeRefused(MigrationError):  # noqa: N818 (as the other refusals are named)
    """A down script refused (SQLSTATE PF409) because it would have destroyed rows."""


class MigratedByNewer(MigrationError):  # noqa: N818
    """The database is ahead of this program, which may well be able to work with it."""


@dataclass(frozen=True)
class Pending:
    """What `migrate` has to do. `revisions` are to be run; the rest are paths of files."""

    revisions: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.revisions or self.changed or self.added or self.removed)


@dataclass(frozen=True)
class MigrationReport:
    """What was done (false where nothing was), and the revision of the tables now."""

    revision: str | None
    done: Pending


async def migrate(
    url: str, *, tree: Path | None = None, program: str = app.__version__, again: bool = False
) -> MigrationReport:
    """Bring the database at `url` to what the files under `tree` say.

    Takes the URL of a login that is iu_owner or a member of it. Another migration that runs at
    the same time is waited for, and then usually leaves nothing to do; nothing pending means no
    DDL at all. `again` creates and grants everything anew even so, for a database in which
    somebody dropped or revoked something by hand.

    Raises MigrationError (not bootstrapped; migrated by a newer program; a lock could not be
    had), ScriptFailed (a file is wrong) or MigrationTreeError. In each case nothing was changed.
    """
    files = read_tree(tree or root())
    async with _owner_transaction(url) as (connection, driver):
        installed = await read_installed(driver)
        todo = compare(files, installed, program)
        if again:
            known = (file.path for file in files.files if file.path not in todo.added)
            todo = replace(todo, changed=tuple(known))
        if not todo:
            return MigrationReport(revision=installed.revision, done=todo)
        await execute_script(driver, "bookkeeping.up.sql", files.bookkeeping("up"))
        unchanged = {file.path for file in files.objects} - {*todo.changed, *todo.added}
        await drop_objects(driver, installed, keep=frozenset(unchanged))
        if todo.revisions:
            await connection.run_sync(revisions.run, files.root, "up", "head")
        identities = [await create_object(driver, file) for file in files.objects]
        await _require_gone(driver, files, installed)
        await apply_grants(driver, files, identities)
        await record(driver, files, identities, program)
        return MigrationReport(revision=revisions.head(files.root), done=todo)


async def downgrade(url: str, target: str, *, tree: Path | None = None) -> None:
    """Go down to the revision `target`, or to `base`: then the schema is empty, as at first.

    Raises DowngradeRefused while rows would be destroyed, and what `migrate` raises.
    """
    files = read_tree(tree or root())
    async with _owner_transaction(url) as (connection, driver):
        installed = await read_installed(driver)
        if not installed.bookkeeping:
            return
        _require_below(files, installed, target)
        await drop_objects(driver, installed, keep=frozenset())
        if installed.revision is not None:
            await connection.run_sync(revisions.run, files.root, "down", target)
        # Functions that tables depended on can go only now.
        for installed_object in reversed(installed.objects):
            if installed_object.kind == "function":
                await drop_function(driver, installed_object)
        if target == "base":
            await driver.execute(f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC, iu_app, iu_reader")
            await execute_script(driver, "bookkeeping.down.sql", files.bookkeeping("down"))
        else:
            await forget_objects(driver)


async def pending(url: str, *, tree: Path | None = None, program: str = app.__version__) -> Pending:
    """What `migrate` would do, without waiting for anybody; raises what `migrate` raises."""
    files = read_tree(tree or root())
    async with _owner_transaction(url, exclusive=False) as (_, driver):
        return compare(files, await read_installed(driver), program)


def version_key(version: str) -> tuple[int, ...]:
    """A release's version, `1.12.3`, as something that sorts."""
    return tuple(int(number) for number in version.split("."))


def compare(files: MigrationTree, installed: InstalledSchema, program: str) -> Pending:
    """What has to be done to make the database what the files say.

    Raises MigratedByNewer where there is something, but the difference is that the database is
    ahead of `program`: an older program must not install its functions over a newer one's.
    """
    to_run = revisions.after(files.root, installed.revision)
    if to_run is None:
        raise _newer(f"revision {installed.revision}")
    by_path = {installed_object.path: installed_object for installed_object in installed.objects}
    todo = Pending(
        revisions=to_run,
        changed=tuple(
            file.path
            for file in files.files
            if file.path in by_path and by_path[file.path].checksum != file.checksum
        ),
        added=tuple(file.path for file in files.files if file.path not in by_path),
        removed=tuple(sorted(by_path.keys() - {file.path for file in files.files})),
    )
    newest = installed.migrated_by
    if todo and newest is not None and version_key(newest) > version_key(program):
        raise _newer(f"program {newest}, and this is {program}")
    return todo


def _require_below(files: MigrationTree, installed: InstalledSchema, target: str) -> None:
    known = revisions.after(files.root, None) or ()
    if installed.revision is not None and installed.revision not in known:
        raise _newer(f"revision {installed.revision}")
    lower = known[: known.index(installed.revision) + 1] if installed.revision else ()
    if target != "base" and target not in lower:
        raise MigrationError(f"Revision {target} does not lie below {installed.revision}.")


def _newer(what: str) -> MigratedByNewer:
    return MigratedByNewer(
        f"The database was migrated by a newer program ({what}). Migrate with that one, "
        "or go down with it before you install this one."
    )


@contextlib.asynccontextmanager
async def _owner_transaction(
    url: str, *, exclusive: bool = True
) -> AsyncIterator[tuple[AsyncConnection, asyncpg.Connection]]:
    """One transaction as iu_owner, under the migration lock; committed if the body succeeds."""

    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
        # No statement caches: this connection changes the schema under its own feet.
        connect_args={"dsn": url, "statement_cache_size": 0, "prepared_statement_cache_size": 0},
    )
    try:
        async with engine.begin() as connection:
            driver = await _become_owner(connection)
            if exclusive:
                await driver.execute(f"SELECT pg_catalog.pg_advisory_xact_lock({LOCK_CLASS}, 0)")
            await driver.execute(_session())
            yield connection, driver
    except ScriptFailed as error:
        if error.sqlstate == "PF409":
            raise DowngradeRefused(str(error)) from error
        if error.sqlstate == "55P03":
            raise MigrationError(
                f"A lock could not be had within {LOCK_TIMEOUT}; nothing was changed. Try again, "
                f"or stop the programs that use the database first.\n{error}"
            ) from error
        raise
    finally:
        await engine.dispose()


async def _become_owner(connection: AsyncConnection) -> asyncpg.Connection:
    # This must be a statement of SQLAlchemy's, and the first: SQLAlchemy begins the transaction
    # only with it, and what the driver's connection does before is committed by itself.
    login, schema_owner = (
        await connection.execute(
            text(
                "SELECT session_user, (SELECT pg_catalog.pg_get_userbyid(n.nspowner)"
                "  FROM pg_catalog.pg_namespace AS n WHERE n.nspname = :schema)"
            ),
            {"schema": SCHEMA},
        )
    ).one()
    if schema_owner != OWNER:
        raise MigrationError(
            f"There is no schema {SCHEMA} that belongs to {OWNER}: run `factory bootstrap` once, "
            "as a superuser."
        )
    raw = await connection.get_raw_connection()
    driver = cast("asyncpg.Connection", raw.driver_connection)
    try:
        await driver.execute(f"SET LOCAL ROLE {OWNER}; {_PATIENCE}")
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"The login {login} is not a member of {OWNER}: migrate with the owner's login "
            "(FACTORY_MIGRATION_DATABASE_URL)."
        ) from error
    return driver


async def _require_gone(
    driver: asyncpg.Connection, files: MigrationTree, installed: InstalledSchema
) -> None:
    """Make sure that functions whose file is gone are gone too."""
    here = {file.path for file in files.objects}
    left = [
        identity
        for installed_object in installed.objects
        if installed_object.kind == "function" and installed_object.path not in here
        for identity in await function_identities(driver, installed_object.name)
    ]
    if left:
        raise ScriptFailed(
            f"The file is gone, but something still depends on {', '.join(left)}: "
            "the revision that removes the file must remove that too.",
            "2BP01",
        )


# A second migration waits for the first as long as it takes.
_PATIENCE = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"


def _session() -> str:
    # Names in the files are qualified: what is not in pg_catalog or iu_core is a mistake.
    return f"""
        SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';
        SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}';
        SET LOCAL idle_in_transaction_session_timeout = '1min';
        SET LOCAL search_path = pg_catalog, {SCHEMA}, pg_temp;
        SET LOCAL client_min_messages = warning;
        SET LOCAL check_function_bodies = on;
    """
