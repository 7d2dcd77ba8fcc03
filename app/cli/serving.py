"""`factory serve`, `factory evaluate` and `factory seed`."""

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httpx
import typer

from app.cli import greeting
from app.cli.client import certificates, is_ours, key_for, unreachable
from app.cli.database import migrated, prepared_and_migrated
from app.cli.output import Json, print_json, refused, say
from app.errors import StartupError
from app.settings import Settings, get_settings
from app.stopping import Stopped, run

if TYPE_CHECKING:
    from app.evaluation import Leased, Seeded
    from app.hosting import Host


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command("serve")(serve_command)
    cli.command("evaluate")(evaluate_command)
    cli.command("seed")(seed_command)


def serve_command(*, as_json: Json = False) -> None:
    """Serve the API until Ctrl-C. Migrates nothing, opens no gate."""
    _host(_serve, as_json=as_json)


def evaluate_command(*, as_json: Json = False) -> None:
    """Serve for an evaluation: migrated, with the examples, the gates open for 8 hours."""
    _host(_evaluate, as_json=as_json)


def seed_command(*, as_json: Json = False) -> None:
    """Load the examples that are not there yet, into a service that runs."""
    from app.evaluation import Refused

    settings = get_settings()
    key = key_for(settings)
    try:
        seeded = run(_seed(settings, key))
    except httpx.TransportError as error:
        raise unreachable(settings.api_url, error) from error
    except Refused as error:
        raise refused(error.problem, as_json=as_json) from error
    if as_json:
        print_json({"made": seeded.made, "there": seeded.there})
        return
    for template in seeded.made:
        say(f"{template} is loaded.")
    for family in seeded.there:
        say(f"{family} is there already.")


def _host(work: Any, *, as_json: bool) -> None:
    try:
        from app.hosting import bound_socket, hosting

        settings = get_settings()
        with bound_socket(settings) as listener, hosting(settings) as host:
            run(work(host, listener, as_json))
    except Stopped:
        # It was served until somebody had enough: that is how it is meant to end.
        if not as_json:
            say("Stopped.")


async def _serve(host: "Host", listener: socket.socket, as_json: bool) -> None:
    from app.hosting import serve

    await host.check()
    key = await _admin_key(host)

    def greet(url: str) -> None:
        if as_json:
            print_json({"url": url, **_key_file(host)})
            return
        greeting.where(host, url, key)
        greeting.gates_as_they_are(host, url)

    await serve(host, listener, greet)


async def _evaluate(host: "Host", listener: socket.socket, as_json: bool) -> None:
    from app.evaluation import lease_gates, load_seeds
    from app.hosting import in_process, serve

    given = _given_key(host)
    report = await prepared_and_migrated(host)
    if not as_json:
        say(migrated(report))
    await host.check()
    key = await _admin_key(host)

    async def furnish() -> "tuple[list[Leased], Seeded]":
        async with in_process(host.service_settings, key or given) as client:
            return await lease_gates(client), await load_seeds(client)

    # Before anybody else is let in, so that whoever finds the service finds the examples. In a
    # task, because requests in this process leave their ids in the context.
    leased, seeded = await asyncio.create_task(furnish())

    def greet(url: str) -> None:
        if as_json:
            print_json(
                {
                    "url": url,
                    **_key_file(host),
                    "leases": {lease.gate: lease.expires_at for lease in leased},
                    "templates": {"made": seeded.made, "there": seeded.there},
                }
            )
            return
        greeting.where(host, url, key)
        greeting.what_to_try(host, url, leased, seeded)

    await serve(host, listener, greet)


async def _seed(settings: Settings, key: str) -> "Seeded":
    from app.evaluation import load_seeds

    async with httpx.AsyncClient(
        base_url=settings.api_url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
        verify=certificates(settings.api_url),
        trust_env=not is_ours(settings),
    ) as client:
        return await load_seeds(client)


async def _admin_key(host: "Host") -> str | None:
    """The admin key of the embedded database; None where somebody else keeps the keys."""
    from app.services.first_key import ensure_admin_key

    if host.embedded is None:
        return None
    return await ensure_admin_key(host.required_owner_url(), host.settings.admin_key_path)


def _given_key(host: "Host") -> str:
    """The key for a database that somebody else keeps; refused before anything is done."""
    if host.embedded is not None:
        return ""
    if host.settings.api_key is None:
        raise StartupError(
            "An evaluation on a database of yours needs an admin's key: set FACTORY_API_KEY (the"
            " first is made by `factory migrate` and then `factory key create --first`)."
        )
    return host.settings.api_key.get_secret_value()


def _key_file(host: "Host") -> dict[str, str]:
    return {} if host.embedded is None else {"admin_key_file": str(host.settings.admin_key_path)}
