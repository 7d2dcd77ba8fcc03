"""`factory bootstrap` and `factory migrate`: what is done with the database's own logins."""

import asyncio
from typing import Annotated

import asyncpg
import typer

from app.cli.output import Json, console, fail, print_json
from app.db.bootstrap import BootstrapError, BootstrapReport, bootstrap
from app.errors import StartupError
from app.hosting import Host, hosting, stoppable
from app.settings import get_settings

_HELP = "The password that the role {role} shall have; unset: left as it is."


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command("bootstrap")(bootstrap_command)
    cli.command("migrate")(migrate_command)


def bootstrap_command(
    *,
    superuser_url: Annotated[
        str | None,
        typer.Option(
            envvar="FACTORY_SUPERUSER_URL",
            show_envvar=True,
            help="A superuser's login to the database. Unset: the embedded one.",
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Another database on the same server; made if missing.")
    ] = None,
    owner_password: Annotated[
        str | None,
        typer.Option(envvar="FACTORY_OWNER_PASSWORD", help=_HELP.format(role="iu_owner")),
    ] = None,
    app_password: Annotated[
        str | None,
        typer.Option(envvar="FACTORY_APP_PASSWORD", help=_HELP.format(role="iu_app")),
    ] = None,
    reader_password: Annotated[
        str | None,
        typer.Option(envvar="FACTORY_READER_PASSWORD", help=_HELP.format(role="iu_reader")),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make roles, rights and schema: the one step that needs a superuser. Safe to repeat."""
    given = {"iu_owner": owner_password, "iu_app": app_password, "iu_reader": reader_password}
    passwords = {role: password for role, password in given.items() if password}
    with stoppable():
        report = _bootstrap(superuser_url, database, passwords)
        if as_json:
            print_json({"database": report.database, "warnings": report.warnings})
            return
        console.print(f"{report.database}: roles, rights and schema are there.")
        for warning in report.warnings:
            fail(f"Warning: {warning}")
        console.print("Next: factory migrate")


def _bootstrap(
    superuser_url: str | None, database: str | None, passwords: dict[str, str]
) -> BootstrapReport:
    try:
        if superuser_url is not None:
            return asyncio.run(bootstrap(superuser_url, database=database, passwords=passwords))
        with hosting(get_settings()) as host:
            report = asyncio.run(host.prepare())
    except BootstrapError as error:
        raise StartupError(str(error)) from error
    except (OSError, asyncpg.PostgresError) as error:
        raise StartupError(f"The database can't be reached: {error}") from error
    if report is None:
        raise StartupError(
            "FACTORY_DATABASE_URL names a database of yours: pass a superuser's login to it with"
            " --superuser-url."
        )
    return report


def migrate_command(
    *,
    again: Annotated[
        bool,
        typer.Option(help="Create and grant everything anew, also where nothing is pending."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to this program's schema. Nothing pending: nothing is touched."""
    with stoppable(), hosting(get_settings()) as host:
        asyncio.run(prepare_and_migrate(host, again=again, as_json=as_json))


async def prepare_and_migrate(host: Host, *, again: bool = False, as_json: bool = False) -> None:
    """Migrate, and say what was done; on the embedded server bootstrap first."""
    try:
        await host.prepare()
    except BootstrapError as error:
        raise StartupError(str(error)) from error
    report = await host.migrate(again=again)
    done = report.done
    if as_json:
        print_json({"revision": report.revision, "revisions_run": list(done.revisions)})
    elif done:
        console.print(
            f"The database is at revision {report.revision}:"
            f" {len(done.revisions)} revisions run,"
            f" {len(done.added) + len(done.changed)} functions and views installed,"
            f" {len(done.removed)} removed."
        )
    else:
        console.print(f"The database is at revision {report.revision}: nothing to do.")
