"""What a service that has come up prints: where it is, and what to try first."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import app as program
from app.cli.output import headline, say

if TYPE_CHECKING:
    from app.evaluation import Leased, Seeded
    from app.hosting import Host

_DEFAULT_URL = "http://127.0.0.1:8000"
_WIDTH = 12


def where(host: "Host", url: str, key: str | None) -> None:
    """Print where the service, its documentation, its database and its key are."""
    say()
    headline(f"Product factory {program.__version__} at {url}")
    say()
    _row("API docs", f"{url}/docs")
    if host.embedded is not None:
        place = _shown(host.settings.data_dir)
        _row("Database", f"PostgreSQL {host.embedded.version}, embedded, in {place}")
    if key is not None:
        _row("Admin key", key)
        _row("", f"kept in {_shown(host.settings.admin_key_path)}")


def gates_as_they_are(host: "Host", url: str) -> None:
    """Print that serving opened nothing."""
    _row("Gates", "as they were left; closed until somebody opens them:")
    _row("", f"{command(host, url)} gate list")
    say()
    say(_how_to_stop(host))


def what_to_try(host: "Host", url: str, leased: Sequence["Leased"], seeded: "Seeded") -> None:
    """Print what an evaluation opened and loaded, and the first request."""
    from app.evaluation import LEASE_HOURS, REASON

    templates = [f"{key}, loaded now" for key in seeded.made]
    templates += [f"{family}, there already" for family in seeded.there]
    for name, text in zip(["Templates"] + [""] * len(templates), templates, strict=False):
        _row(name, text)
    opened = {lease.expires_at for lease in leased if lease.expires_at is not None}
    if opened:
        until = max(opened).astimezone().strftime("%Y-%m-%d %H:%M %Z")
        _row("Gates", f"open for {LEASE_HOURS} hours, until {until}, by leases ({REASON}):")
    for lease in leased:
        if lease.expires_at is not None:
            _row("", lease.gate)
    for lease in leased:
        if lease.expires_at is None:
            _row("", f"{lease.gate} is sealed, and stays closed")
    say(
        f"""
Compose your first instance, in another terminal and in this directory:

{first_request(host, url)}

The same request again answers the same instance. Close the gates when you are done; they close by
themselves when the leases end:

{command(host, url)} gate close --all --reason '{REASON} over'

{_how_to_stop(host)}"""
    )


def first_request(host: "Host", url: str) -> str:
    """The first request, as a command for sh that works as it stands."""
    from app.evaluation import EVENT_ID

    key = "$FACTORY_API_KEY"
    if host.embedded is not None:
        key = f"$(cat {shlex.quote(_shown(host.settings.admin_key_path))})"
    return f"""\
curl -sS {url}/instances/from-event \\
  -H "Authorization: Bearer {key}" -H 'Content-Type: application/json' \\
  -d '{{"event_id": "{EVENT_ID}", "event_type": "employee.hired",
       "template": "tpl:wf:onboarding/v2", "suffix": "ada-lovelace"}}'"""


def command(host: "Host", url: str) -> str:
    """`factory`, as it is to be called in another terminal to reach this service."""
    told = {}
    if url != _DEFAULT_URL:
        told["FACTORY_URL"] = url
    if host.embedded is not None and host.settings.data_dir != Path.cwd() / "var":
        told["FACTORY_DATA_DIR"] = str(host.settings.data_dir)
    words = [f"{name}={shlex.quote(value)}" for name, value in told.items()]
    return " ".join([*words, _program()])


def _program() -> str:
    started = Path(sys.argv[0])
    if started.name != "factory":
        return f"{shlex.quote(sys.executable)} -m app.cli"
    found = shutil.which("factory")
    if found is not None and Path(found).absolute() == started.absolute():
        return "factory"
    return shlex.quote(_shown(started.absolute()))


def _shown(path: Path) -> str:
    """A path from here where it lies below, as a person would type it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _how_to_stop(host: "Host") -> str:
    if host.embedded is None:
        return "Ctrl-C stops the service."
    place = _shown(host.settings.data_dir)
    return f"Ctrl-C stops the service and its database; the data stays in {place}."


def _row(name: str, text: str) -> None:
    say(f"  {name:<{_WIDTH}}{text}")
