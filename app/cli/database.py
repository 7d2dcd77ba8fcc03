"""`factory bootstrap` and `factory migrate`: what is done with the database's own logins."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import Json, fail, print_json, say
from app.errors import StartupError
from app.settings import get_settings
from app.stopping import run

if TYPE_CHECKING:
    from app.db.bootstrap import BootstrapReport
    from app.db.migrations import MigrationReport
    from app.hosting import Host

SUPERUSER_URL = "FACTORY_SUPERUSER_URL"
PASSWORDS = {
    "iu_owner": "FACTORY_OWNER_PASSWORD",
    "iu_app": "FACTORY_APP_PASSWORD",
    "iu_reader": "FACTORY_READER_PASSWORD",
}
"""Variables and not options: the arguments of a process are there for all to read."""


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command("bootstrap")(bootstrap_command)
    cli.command("migrate")(migrate_command)


def bootstrap_command(
    *,
    database: Annotated[
        str | None, typer.Option(help="Another database on the same server; made if missing.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make roles, rights and schema: the one step that needs a superuser. Safe to repeat.

    FACTORY_SUPERUSER_URL is a superuser's login to the database. Unset: the embedded one.
    FACTORY_OWNER_PASSWORD, FACTORY_APP_PASSWORD and FACTORY_READER_PASSWORD are the passwords that
    the roles iu_owner, iu_app and iu_reader shall have. Unset: they stay as they are.
    """
    report = _bootstrap(database)
    if as_json:
        print_json(
            {
                "database": report.database,
                "created_database": report.created_database,
                "warnings": report.warnings,
            }
        )
        return
    made = " was made;" if report.created_database else ":"
    say(f"{report.database}{made} roles, rights and schema are there.")
    for warning in report.warnings:
        fail(f"Warning: {warning}")
    say("Next: factory migrate")


def _bootstrap(database: str | None) -> "BootstrapReport":
    from app.db.bootstrap import bootstrap
    from app.hosting import hosting, told_in_a_line

    superuser_url = os.environ.get(SUPERUSER_URL)
    if database is not None and not superuser_url:
        raise typer.BadParameter(f"--database goes with {SUPERUSER_URL}")
    if superuser_url:
        given = {role: os.environ.get(variable) for role, variable in PASSWORDS.items()}
        passwords = {role: password for role, password in given.items() if password}
        with told_in_a_line(look_at=SUPERUSER_URL):
            return run(bootstrap(superuser_url, database=database, passwords=passwords))
    with hosting(get_settings()) as host:
        report = run(host.prepare())
    if report is None:
        raise StartupError(
            "FACTORY_DATABASE_URL names a database of yours: set FACTORY_SUPERUSER_URL to a"
            " superuser's login to it."
        )
    return report


def migrate_command(
    *,
    again: Annotated[
        bool,
        typer.Option("--again", help="Create and grant everything anew, whether pending or not."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to this program's schema. Nothing pending: nothing is touched.

    Takes the owner's login, FACTORY_MIGRATION_DATABASE_URL. Without it, and without
    FACTORY_DATABASE_URL, the embedded database is migrated.
    """
    from app.hosting import hosting

    with hosting(get_settings()) as host:
        report = run(prepared_and_migrated(host, again=again))
    done = report.done
    if as_json:
        print_json(
            {
                "revision": report.revision,
                "revisions_run": list(done.revisions),
                "installed": [*done.added, *done.changed],
                "removed": list(done.removed),
            }
        )
        return
    say(migrated(report))


async def prepared_and_migrated(host: "Host", *, again: bool = False) -> "MigrationReport":
    """Migrate; on the embedded server bootstrap first."""
    await host.prepare()
    return await host.migrate(again=again)


def migrated(report: "MigrationReport") -> str:
    """What a migration did, in a line."""
    done = report.done
    if not done:
        return f"The database is at revision {report.revision}: nothing to do."
    return (
        f"The database is at revision {report.revision}:"
        f" {len(done.revisions)} revisions run,"
        f" {len(done.added) + len(done.changed)} functions and views installed,"
        f" {len(done.removed)} removed."
    )
