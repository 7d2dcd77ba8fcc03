"""Whom the command line trusts, and how long it waits."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import typer

from app.cli import client
from app.cli.client import Client, certificates
from app.settings import get_settings
from tests.cli.relay import Answer, relayed


def test_certificates_are_read_only_where_there_are_any() -> None:
    nobody = certificates("http://127.0.0.1:8000")
    assert not isinstance(nobody, bool)
    assert nobody.get_ca_certs() == []
    assert nobody.check_hostname, "whoever came in by TLS even so would be refused"
    assert certificates("https://factory.example") is True
    assert certificates("HTTP://factory.example") is True, "what is not known is checked"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A command line that waits a moment only."""
    monkeypatch.setattr(client, "TIMEOUT_S", 0.25)
    monkeypatch.setenv("FACTORY_API_KEY", "a-key")
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def test_a_service_that_does_not_answer_in_time_is_not_said_to_be_gone(
    impatient: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        impatient.setenv("FACTORY_URL", url)
        with pytest.raises(typer.Exit) as ended:
            Client().call("POST", "/retention/cleanup", {})
    assert ended.value.exit_code == 8
    assert capsys.readouterr().err == (
        f"{url} has not answered within 0.25 s. It may be at work on it still: look what came of it"
        " before you send it again.\n"
    )


def test_who_has_everything_looked_through_waits_as_long_as_it_takes(
    impatient: pytest.MonkeyPatch,
) -> None:
    looking, looked = Event(), Event()

    def between(_method: str, path: str) -> Answer:
        if path == "/look":
            looking.set()
        assert looked.wait(60)
        return Answer(200, '{"holds": true}', "application/json")

    with relayed("http://127.0.0.1:9", between) as url, ThreadPoolExecutor() as pool:
        impatient.setenv("FACTORY_URL", url)
        look = pool.submit(Client().look, "/look")
        assert looking.wait(60)
        with pytest.raises(typer.Exit):
            Client().call("GET", "/other")
        looked.set()
        assert look.result(60) == {"holds": True}
