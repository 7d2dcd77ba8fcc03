"""`factory consume nats|kafka|rabbitmq`: events from a broker instead of HTTP."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import Json, print_json, say
from app.errors import StartupError
from app.settings import get_settings
from app.stopping import Stopped, run

if TYPE_CHECKING:
    from app.consuming.client import Client

cli = typer.Typer(
    help="Take CloudEvents from a broker until Ctrl-C, as `POST /events` takes them.",
    no_args_is_help=True,
)

Actor = Annotated[
    str | None,
    typer.Option(help="Who the events are from. Unset: consume- and the broker's name."),
]

_URL_VARIABLE = "FACTORY_BROKER_URL"


@cli.command("nats")
def nats_command(
    *,
    url: Annotated[
        str, typer.Option(envvar=_URL_VARIABLE, help="The server, with credentials if it asks.")
    ] = "nats://127.0.0.1:4222",
    stream: Annotated[str, typer.Option(help="The JetStream stream, which is there already.")],
    subject: Annotated[str, typer.Option(help="Of the stream: a subject, or a pattern.")],
    durable: Annotated[str, typer.Option(help="The name of the consumer on the server.")] = (
        "factory"
    ),
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Take CloudEvents from NATS JetStream."""
    with _extra_needed():
        from app.consuming.nats import nats_client
    _consume(nats_client(url, stream, subject, durable), actor, as_json=as_json)


@cli.command("kafka")
def kafka_command(
    *,
    bootstrap: Annotated[
        str,
        typer.Option(
            envvar=_URL_VARIABLE,
            help="The servers, separated by commas; kafka://user:password@host:port,… or"
            " kafka+ssl://… where they ask for more.",
        ),
    ] = "127.0.0.1:9092",
    topic: Annotated[str, typer.Option(help="The topic.")],
    group: Annotated[str, typer.Option(help="The group whose offsets are kept.")] = "factory",
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Take CloudEvents from Kafka."""
    with _extra_needed():
        from app.consuming.kafka import kafka_client
    _consume(kafka_client(bootstrap, topic, group), actor, as_json=as_json)


@cli.command("rabbitmq")
def rabbitmq_command(
    *,
    url: Annotated[
        str, typer.Option(envvar=_URL_VARIABLE, help="The server, with credentials.")
    ] = "amqp://guest:guest@127.0.0.1:5672/",
    queue: Annotated[str, typer.Option(help="The queue, which is there already.")],
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Take CloudEvents from RabbitMQ."""
    with _extra_needed():
        from app.consuming.rabbitmq import rabbitmq_client
    _consume(rabbitmq_client(url, queue), actor, as_json=as_json)


@contextlib.contextmanager
def _extra_needed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise StartupError(
            "This needs the clients of the brokers: pip install 'product-factory[brokers]'"
        ) from error


def _consume(client: "Client", actor: str | None, *, as_json: bool) -> None:
    from app.consuming.program import consume
    from app.hosting import hosting
    from app.security import is_own_actor

    who = actor or f"consume-{client.name}"
    if not is_own_actor(who):
        raise typer.BadParameter(f"--actor {who}: should be a tag like hr-events")
    try:
        with hosting(get_settings()) as host:
            run(consume(host, client, who, partial(_greet, client.name, who, as_json=as_json)))
    except Stopped:
        # It consumed until somebody had enough: that is how it is meant to end.
        if not as_json:
            say("Stopped.")


def _greet(broker: str, actor: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"broker": broker, "actor": actor})
    else:
        say(f"Taking events from {broker} as {actor}. Ctrl-C stops.")
