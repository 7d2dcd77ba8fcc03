"""`factory serve`, `factory evaluate` and `factory seed`."""

import asyncio
import shlex

import httpx
import typer

import app as program
from app.cli.client import Client
from app.cli.database import prepare_and_migrate
from app.cli.output import Json, console, print_json
from app.errors import StartupError
from app.evaluation import EVENT_ID, REASON, Leased, lease_gates, load_seeds
from app.hosting import Host, bound_socket, hosting, serve, stoppable
from app.services.first_key import ensure_admin_key
from app.settings import Settings, get_settings


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command("serve")(serve_command)
    cli.command("evaluate")(evaluate_command)
    cli.command("seed")(seed_command)


def serve_command() -> None:
    """Serve the API until Ctrl-C. Migrates nothing, opens no gate."""
    settings = get_settings()
    with stoppable(), bound_socket(settings) as listener, hosting(settings) as host:
        asyncio.run(host.check())
        key = asyncio.run(_admin_key(host))

        async def once_up(url: str) -> None:
            _say_where(host, url, key)
            console.print("Gates      as they are: factory gate list")

        serve(host, listener, once_up)
    console.print("Stopped.")


def evaluate_command() -> None:
    """Serve for an evaluation: migrated, with the examples, the gates open for 8 hours."""
    settings = get_settings()
    with stoppable(), bound_socket(settings) as listener, hosting(settings) as host:
        asyncio.run(prepare_and_migrate(host))
        asyncio.run(host.check())
        key = asyncio.run(_admin_key(host))

        async def once_up(url: str) -> None:
            async with _client(url, key or _given_key(settings)) as client:
                leased = await lease_gates(client)
                made = await load_seeds(client)
            _say_where(host, url, key)
            _say_what_to_try(settings, url, leased, made)

        serve(host, listener, once_up)
    console.print("Stopped.")


def seed_command(*, as_json: Json = False) -> None:
    """Load the examples that are not there yet, into a service that runs."""
    settings = get_settings()
    made = asyncio.run(_seed(settings))
    if as_json:
        print_json({"made": made})
        return
    console.print(f"Made {', '.join(made)}." if made else "The examples are there already.")


async def _seed(settings: Settings) -> list[str]:
    async with _client(settings.api_url, Client(settings).key()) as client:
        try:
            return await load_seeds(client)
        except httpx.TransportError as error:
            raise StartupError(
                f"Nobody answers at {settings.api_url} ({error}): start the service first."
            ) from error


async def _admin_key(host: Host) -> str | None:
    """The admin key of the embedded database; None where somebody else keeps the keys."""
    if host.embedded is None:
        return None
    return await ensure_admin_key(host.required_owner_url(), host.settings.admin_key_path)


def _given_key(settings: Settings) -> str:
    if settings.api_key is None:
        raise StartupError(
            "An evaluation on a database of yours needs an admin's key: set FACTORY_API_KEY"
            " (the first is made by `factory key create --first`)."
        )
    return settings.api_key.get_secret_value()


def _client(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def _say_where(host: Host, url: str, key: str | None) -> None:
    console.print(f"\n[bold]Product factory {program.__version__}[/bold]  {url}")
    console.print(f"Docs       {url}/docs")
    if host.embedded is not None:
        console.print(
            f"Database   PostgreSQL {host.embedded.version}, embedded in {host.settings.data_dir}",
            soft_wrap=True,
        )
    if key is not None:
        console.print(f"Admin key  {key}", markup=False, soft_wrap=True)
        console.print(
            f"           kept in {host.settings.admin_key_path}", markup=False, soft_wrap=True
        )


def _say_what_to_try(settings: Settings, url: str, leased: list[Leased], made: list[str]) -> None:
    until = {lease.expires_at for lease in leased if lease.expires_at is not None}
    if until:
        when = max(until).astimezone().strftime("%H:%M")
        console.print(f"Gates      leased until {when} for this {REASON} (reason: {REASON}):")
    for lease in leased:
        console.print(f"           {lease.gate}{' is SEALED' if lease.refusal else ''}")
    console.print(
        f"           close them: .venv/bin/factory gate close --all --reason '{REASON} over'"
    )
    console.print(f"Templates  {', '.join(made) if made else 'as they were'}")
    key_file = shlex.quote(str(settings.admin_key_path))
    console.print(
        f"""
Compose your first instance:

curl -s {url}/instances/from-event \\
  -H "Authorization: Bearer $(cat {key_file})" -H 'Content-Type: application/json' \\
  -d '{{"event_id": "{EVENT_ID}", "event_type": "employee.hired",
       "template": "tpl:wf:onboarding/v2", "suffix": "ada-lovelace"}}'

Ctrl-C stops the service and its database.
""",
        markup=False,
        soft_wrap=True,
    )
