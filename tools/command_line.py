"""Write docs/command-line.md from the program: what every command says of itself."""

import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "command-line.md"

_HEAD = """\
<!-- Made by `make docs`. Change app/cli/, not this. -->

# The command line

`factory` lies in `.venv/bin` after `make run`. It goes through HTTP like any client, with the key
in `FACTORY_API_KEY`, or else the one in `var/admin.key`, to `FACTORY_URL`, or else to this machine.
Only `bootstrap`, `migrate` and the first key (`key create --first`) use the database's own logins.
Every command takes `--json`. [settings.md](settings.md) tells all variables.
"""


def command_line() -> str:
    """The whole document."""
    told = subprocess.run(
        [sys.executable, "-m", "typer", "app.cli.program", "utils", "docs", "--name", "factory"],
        cwd=DOCUMENT.parents[1],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    _, _, body = told.partition("\n")
    return f"{_HEAD}\n{body.strip()}\n"


if __name__ == "__main__":
    DOCUMENT.write_text(command_line(), encoding="utf-8")
