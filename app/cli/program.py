"""The command line. `factory --help` lists the commands; docs/command-line.md explains them.

Everything goes through HTTP, as any client does, but for what is done with the database's own
logins: `bootstrap`, `migrate`, the first key, and whatever hosts a service.

What hosts a service needs the whole program. Its modules are imported by the functions that use
them, so that a client's command does not wait for a server's libraries (a test says so).
"""

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import app
from app.cli import (
    audit,
    checking,
    composing,
    consuming,
    database,
    delivering,
    gates,
    keys,
    operations,
    pieces,
    probing,
    proving,
    replaying,
    retention,
    rolling_back,
    serving,
    snapshots,
    templates,
)
from app.cli.output import exit_code, explained, fail, say
from app.errors import Refusal, StartupError
from app.settings import SettingsError


class Commands(TyperGroup):
    """The commands, whose complaints about an argument are in the words of who typed it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises typer.BadParameter for what it can't take."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


cli = typer.Typer(
    name="factory",
    cls=Commands,
    help="Composes durable, verifiable products from versioned templates when events arrive.",
    epilog="Exit codes: 0 done, 1 a defect or no start, 2 the input, 3 the caller, 4 no such thing,"
    " 5 a closed gate, 6 the state of what is stored, 7 a precondition, 8 not now.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs flow, whatever the width
)

for part in (
    serving,
    database,
    checking,
    composing,
    rolling_back,
    delivering,
    probing,
    snapshots,
    replaying,
):
    part.register(cli)
cli.add_typer(consuming.cli, name="consume")
cli.add_typer(operations.cli, name="operation")
cli.add_typer(gates.cli, name="gate")
cli.add_typer(retention.cli, name="retention")
cli.add_typer(templates.cli, name="template")
cli.add_typer(pieces.cli, name="piece")
cli.add_typer(keys.cli, name="key")
cli.add_typer(audit.cli, name="audit")
cli.add_typer(proving.cli, name="evidence")


def _version(wanted: bool) -> None:
    if wanted:
        say(f"Product factory {app.__version__}")
        raise typer.Exit


@cli.callback()
def options(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take the options of the program itself."""


def run_command() -> int:
    """Run the command of this process' arguments; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows few characters must not end a command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        cli(prog_name="factory")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Refusal as refusal:  # of what is done with the owner's login; HTTP's are told elsewhere
        fail(explained({"code": refusal.code, "detail": refusal.detail, **refusal.members}))
        return exit_code(refusal.code)
    except (StartupError, SettingsError) as error:
        fail(str(error))
        return 1
    return 0
