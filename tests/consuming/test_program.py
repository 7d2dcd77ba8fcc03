"""`factory consume …` says in one line what is in its way."""

import sys
from pathlib import Path

import pytest

from tests.consuming.jetstream import jetstream
from tests.packaging.programs import free_port
from tests.support.commands import COMMAND, environment, factory
from tests.support.databases import Database

pytestmark = pytest.mark.usefixtures("forks")

NATS = ("nats", "--stream", "HR", "--subject", "hr.>")
KAFKA = ("kafka", "--topic", "hr")
RABBITMQ = ("rabbitmq", "--queue", "hr")
WITHOUT_CLIENTS = (sys.executable, "-m", "tests.consuming.without_clients")


def settings(database: Database, **changes: str) -> dict[str, str]:
    return environment(
        FACTORY_DATABASE_URL=database.app_url,
        FACTORY_DISPOSABLE_DATA="true",
        FACTORY_LOG_LEVEL="error",
        **changes,
    )


def refused(
    *arguments: str, env: dict[str, str], cwd: Path, command: tuple[str, ...] = COMMAND
) -> str:
    done = factory("consume", *arguments, env=env, cwd=cwd, code=1, command=command)
    assert done.out == ""
    return done.err


@pytest.mark.parametrize(
    ("arguments", "url", "why"),
    [
        (NATS, "nats://hr:hunter2@127.0.0.1:{port}", "NoServersError"),
        (NATS, "nats://127.0.0.1:port", "Error"),
        (KAFKA, "kafka://hr:hunter2@127.0.0.1:{port}", "KafkaConnectionError"),
        (KAFKA, "http://hr:hunter2@127.0.0.1:{port}", "ValueError"),
        (RABBITMQ, "amqp://hr:hunter2@127.0.0.1:{port}", "AMQPConnectionError"),
    ],
)
def test_a_broker_that_can_not_be_reached_is_one_line_without_its_password(
    unchanged_database: Database, tmp_path: Path, arguments: tuple[str, ...], url: str, why: str
) -> None:
    env = settings(unchanged_database, FACTORY_BROKER_URL=url.format(port=free_port()))
    assert refused(*arguments, env=env, cwd=tmp_path) == (
        f"The broker can't be reached ({why}): look at its URL, at the credentials in it, and"
        " whether it runs.\n"
    )


async def test_a_stream_that_is_not_there_is_one_line(
    unchanged_database: Database, tmp_path: Path
) -> None:
    async with jetstream(tmp_path / "nats") as (url, _):
        said = refused(*NATS, "--url", url, env=settings(unchanged_database), cwd=tmp_path)
    assert said == (
        "The broker has not what is to be read (NotFoundError): make the stream, topic or queue"
        " first, or look at its name.\n"
    )


def test_a_database_that_is_not_ready_is_told_before_the_broker_is_asked(
    empty_database: Database, tmp_path: Path
) -> None:
    said = refused(*NATS, env=settings(empty_database), cwd=tmp_path)
    assert "run `factory migrate`" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [NATS, KAFKA, RABBITMQ])
def test_without_the_clients_it_says_how_to_install_them(
    unchanged_database: Database, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    env = settings(unchanged_database)
    assert refused(*arguments, env=env, cwd=tmp_path, command=WITHOUT_CLIENTS) == (
        "This needs the clients of the brokers: pip install 'product-factory[brokers]'\n"
    )


def test_an_actor_that_is_none_is_refused(unchanged_database: Database, tmp_path: Path) -> None:
    done = factory(
        "consume", *NATS, "--actor", "hr-", env=settings(unchanged_database), cwd=tmp_path, code=2
    )
    assert "should be a tag like hr-events" in done.usage_error
