"""The command line. `factory --help` lists the commands; `--json` on each is for programs.

Everything goes through HTTP, as any client does, but for `bootstrap`, `migrate` and the first key.

exit codes  0 done · 1 a defect, or the program can't start · 2 the input · 3 the caller (key,
            scope, actor) · 4 no such thing · 5 a closed gate · 6 the state of what is stored ·
            7 a precondition · 8 not now: overloaded, or no database
"""

import sys

import typer

from app.cli import (
    composing,
    database,
    gates,
    keys,
    pieces,
    replaying,
    rolling_back,
    serving,
    templates,
)
from app.cli.output import EXIT_CODES, fail
from app.errors import Refusal, StartupError
from app.settings import SettingsError

cli = typer.Typer(
    name="factory",
    help="Composes durable, verifiable products from versioned templates when events arrive.",
    epilog="Exit codes: 0 done, 1 a defect or no start, 2 the input, 3 the caller, 4 no such thing,"
    " 5 a closed gate, 6 the state of what is stored, 7 a precondition, 8 not now.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for part in (database, serving, composing, rolling_back, replaying):
    part.register(cli)
cli.add_typer(gates.cli, name="gate")
cli.add_typer(templates.cli, name="template")
cli.add_typer(pieces.cli, name="piece")
cli.add_typer(keys.cli, name="key")


def main() -> None:
    """Run the command of this process' arguments, and exit with its code."""
    try:
        cli()
    except Refusal as refusal:  # of what is done with the owner's login; HTTP's are told elsewhere
        fail(f"{refusal.code}: {refusal.detail}")
        sys.exit(EXIT_CODES[refusal.spec.kind])
    except (StartupError, SettingsError) as error:
        fail(str(error))
        sys.exit(1)
