"""`factory deliver`: sends what may leave, beside the service or on another machine."""

import asyncio
from typing import TYPE_CHECKING

import typer

from app.cli.output import Json, print_json, say
from app.settings import get_settings
from app.stopping import Stopped, run

if TYPE_CHECKING:
    from app.hosting import Host


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(deliver)


def deliver(*, as_json: Json = False) -> None:
    """Send what may leave until Ctrl-C: nothing, unless all three layers are open."""
    from app.hosting import hosting

    try:
        with hosting(get_settings()) as host:
            run(_deliver(host, as_json=as_json))
    except Stopped:
        # It sent until somebody had enough: that is how it is meant to end.
        if not as_json:
            say("Stopped.")


async def _deliver(host: "Host", *, as_json: bool) -> None:
    from app.db.engine import Database
    from app.metrics import Metrics
    from app.observability import configure_logging
    from app.services.delivering import delivering

    settings = host.settings
    configure_logging(settings.log_level, settings.log_format)
    await host.check()
    url = host.required_service_url()
    database = Database(url, pool_size=settings.pool_size, pool_timeout_s=settings.pool_timeout)
    try:
        async with delivering(
            database,
            Metrics(),
            allow=settings.delivery_allow,
            source=settings.delivery_source,
        ) as deliverer:
            _greet(as_json=as_json)
            try:
                await asyncio.Event().wait()
            finally:
                await deliverer.stop()
                if not as_json:
                    say("Stopping: what is on the wire is waited for.")
    finally:
        await database.close()


def _greet(*, as_json: bool) -> None:
    if as_json:
        print_json({"delivering": True})
    else:
        say("Sending what may leave. Ctrl-C stops.")
