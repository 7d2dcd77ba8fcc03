"""The compose file's commands and environment, run against a real server instead of containers."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.db.bootstrap import with_database
from app.db.embedded import EmbeddedPostgres
from tests.packaging.programs import ROOT, clean_environment, free_port, run
from tests.support.commands import factory, hosting

PASSWORDS = {
    "POSTGRES_PASSWORD": "p1",
    "FACTORY_OWNER_PASSWORD": "o1",
    "FACTORY_APP_PASSWORD": "a1",
}

# The services are programs of their own.
pytestmark = pytest.mark.usefixtures("forks")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of its own: the roles' passwords are changed on it."""
    with EmbeddedPostgres(tmp_path / "server") as embedded:
        yield embedded


def environment(service: dict[str, Any], server: EmbeddedPostgres) -> dict[str, str]:
    """A service's environment, as compose fills it in, with the server's address for postgres'."""
    superuser_url = with_database(server.superuser_url, "factory")
    query = superuser_url.partition("?")[2]
    filled: dict[str, str] = {}
    for name, value in service["environment"].items():
        text = re.sub(
            r"\$\{(\w+):([?-])([^}]*)\}", lambda use: PASSWORDS.get(use[1], use[3]), value
        )
        filled[name] = text.replace("@postgres:5432/factory", f"@/factory?{query}")
    if "FACTORY_SUPERUSER_URL" in filled:
        filled["FACTORY_SUPERUSER_URL"] = superuser_url
    return clean_environment(**filled)


def test_the_services_of_the_compose_file_come_up(server: EmbeddedPostgres, tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    prepare, api = services["prepare"], services["api"]
    owners = environment(prepare, server)
    run(
        server.bin_dir / "psql", "--dbname", server.superuser_url,
        "--command", "CREATE DATABASE factory LOCALE 'C' ENCODING 'UTF8' TEMPLATE template0",
        cwd=tmp_path,
    )  # fmt: skip

    commands = [shlex.split(command) for command in prepare["command"][0].split("&&")]
    # Each start of the services runs them again.
    for command in (*commands, *commands):
        assert command[0] == "factory"
        factory(*command[1:], cwd=tmp_path, env=owners)
    made = factory(
        "key", "create", "--first", "--scope", "admin", "--principal", "me", "--actor", "me",
        "--json", cwd=tmp_path, env=owners,
    )  # fmt: skip

    port = free_port()
    service_env = {
        **environment(api, server),
        "FACTORY_HOST": "127.0.0.1",
        "FACTORY_PORT": str(port),
    }
    with hosting(*api["command"], cwd=tmp_path, env=service_env) as program:
        program.says("Ctrl-C stops")
        gates = httpx.get(
            f"http://127.0.0.1:{port}/gates",
            headers={"Authorization": f"Bearer {made.document['secret']}"},
            trust_env=False,
        )
        code = program.stop()

    assert code == 0, str(program)
    assert gates.status_code == 200, gates.text
    assert len(gates.json()["items"]) == 11
