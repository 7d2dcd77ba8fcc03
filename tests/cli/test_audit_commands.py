"""`factory audit …`, against a service of its own, whose clock is set ahead to have runs sealed."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import asyncpg
import pytest

from app.db.embedded import EmbeddedPostgres
from app.hosting import EMBEDDED_DATABASE
from app.signing import SigningKey
from tests.cli.conftest import Cli
from tests.cli.hosted import beside, held
from tests.embedded.helpers import wait_until
from tests.support.commands import Hosting, environment, hosting

REASON = ("--reason", "a test")
HOLD = "SELECT iu_core.fn_iu_lock('audit', '{chain}', false)"
AHEAD = "SELECT iu_core.fn_iu_set_clock(interval '5 minutes')"


async def owner_does(data: Path, statement: str) -> None:
    """Run a statement as the owner, beside the service."""
    with EmbeddedPostgres(data) as embedded:
        owner = await asyncpg.connect(embedded.url("iu_owner", EMBEDDED_DATABASE))
        await owner.execute(statement)
        await owner.close()


@pytest.fixture
def cli(data: Path) -> Iterator[Cli]:
    """The command line of who started a service of its own."""
    env = environment(FACTORY_DATA_DIR=str(data), FACTORY_PORT="0")
    with hosting("serve", "--json", env=env, cwd=data.parent) as program:
        url = program.document()["url"]
        yield Cli(url, data.parent, environment(FACTORY_DATA_DIR=str(data), FACTORY_URL=url))


def test_runs_are_listed_sealed_verified_and_their_head_is_exported(cli: Cli, data: Path) -> None:
    cli("gate", "open", "delivery_enabled", *REASON)
    (run, *_) = cli.json("audit", "list", "--actor", "admin", "--limit", "1")
    assert (run["command"], run["code"]) == ("set_gate", "ok")
    lines = cli("audit", "list", "--command", "set_gate").out.splitlines()
    assert lines[0].split() == ["at", "command", "outcome", "code", "actor", "counts", "segment"]
    assert "set_gate" in lines[1]

    asyncio.run(owner_does(data, AHEAD))
    sealed = cli.json("audit", "seal")
    assert (sealed["complete"], sealed["segments"]) == (True, 1)
    assert cli("audit", "seal").out == "0 runs sealed, in 0 segments.\n"
    assert cli("audit", "verify").out.endswith(f"{sealed['runs']} runs in 1 segment: all hold.\n")

    said = cli("audit", "export", "--output", "head.json").out
    head = json.loads((cli.directory / "head.json").read_text())
    assert said == (
        f"The head of segment {head['segment_no']} is in head.json: keep it elsewhere.\n"
    )
    assert cli.json("audit", "verify", "--head", "head.json")["holds"] is True
    public = cli.file("audit.pub", SigningKey.kept_in(data / "audit.key").public_key)
    assert cli.json("audit", "verify", "--head", "head.json", "--key", public)["holds"] is True

    asyncio.run(owner_does(data, "UPDATE iu_core.iu_command_record SET code = 'x'"))
    done = cli("audit", "verify", "--head", "head.json", code=6)
    assert "run_edited" in done.out
    assert done.err == "The audit log is not what was sealed.\n"


def test_runs_are_listed_from_a_time_on_with_any_offset(service: Cli) -> None:
    service("gate", "close", "delivery_enabled")
    listing = ("audit", "list", "--command", "set_gate", "--limit", "1")
    (run,) = service.json(*listing)
    at = datetime.fromisoformat(run["last_at"])

    def since(time: str) -> list[str]:
        return [row["record_id"] for row in service.json(*listing, "--since", time)]

    for offset in (UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))):
        assert since(at.astimezone(offset).isoformat()) == [run["record_id"]]
        assert since((at + timedelta(minutes=5)).astimezone(offset).isoformat()) == []
    assert since(run["last_at"]) == [run["record_id"]]
    assert since(at.replace(tzinfo=None).isoformat()) == [run["record_id"]]
    done = service("audit", "list", "--since", "yesterday", code=2)
    assert "'yesterday' is no time such as 2026-11-01T00:00:00Z" in done.usage_error


def test_a_head_that_was_changed_or_is_somebody_else_s_is_refused(cli: Cli, data: Path) -> None:
    asyncio.run(owner_does(data, AHEAD))
    cli("audit", "seal")
    head = cli.json("audit", "export")
    changed = cli.file("changed.json", json.dumps({**head, "head": head["head"] + "x\n"}))
    other = cli.file("other.pub", SigningKey.kept_in(cli.directory / "other.key").public_key)
    cli.file("head.json", json.dumps(head))
    beside = cli.file("beside.json", json.dumps({**head, "segment_no": head["segment_no"] + 1}))
    for arguments in (
        ("--head", changed),
        ("--head", beside),
        ("--head", "head.json", "--key", other),
    ):
        assert "was changed, or is not signed with that key" in (
            cli("audit", "verify", *arguments, code=2).usage_error
        )
    done = cli("audit", "verify", "--head", "head.json", "--key", "head.json", code=2)
    assert done.usage_error.endswith("head.json is no head, or head.json no key: no Ed25519 key")
    for text in ("", "{}", "[]", '{"public_key": 1}'):
        cli.file("none.json", text)
        done = cli("audit", "verify", "--head", "none.json", code=2)
        assert "none.json is no head: " in done.usage_error
    cli.file("none.json", "[]")
    done = cli("audit", "verify", "--head", "none.json", "--key", other, code=2)
    assert "none.json is no head, or " in done.usage_error
    assert "no key: it is no JSON object" in done.usage_error
    assert "can't be read" in cli("audit", "verify", "--head", "gone.json", code=2).usage_error
    done = cli("audit", "verify", "--key", other, code=2)
    assert "--key says whose a --head is" in done.usage_error


def test_nothing_is_exported_where_it_can_t_be_written(cli: Cli, data: Path) -> None:
    """Otherwise nobody has the head, and yet its runs may be retired."""
    asyncio.run(owner_does(data, AHEAD))
    cli("audit", "seal")
    cli.file("head.json", "{}")
    for name, problem in (("head.json", "File exists"), ("no/h.json", "No such file")):
        done = cli("audit", "export", "--output", name, code=2)
        assert f"can't be written: {problem}" in done.usage_error
    assert (cli.directory / "head.json").read_text() == "{}"
    assert cli.json("audit", "list", "--command", "export_audit_head") == []

    cli.at("http://127.0.0.1:1")("audit", "export", "--output", "other.json", code=8)
    assert not (cli.directory / "other.json").exists()


@contextlib.contextmanager
def exporting(cli: Cli, data: Path) -> Iterator[Hosting]:
    """A command that exports to head.json, while the service is held up in it."""
    asyncio.run(owner_does(data, AHEAD))
    cli("audit", "seal")
    with (
        beside(data) as server,
        held(server.url("postgres", EMBEDDED_DATABASE), HOLD) as holder,
        hosting(
            "audit", "export", "--output", "head.json", env=cli.env, cwd=cli.directory
        ) as program,
    ):
        wait_until(holder.somebody_waits, "the service exports")
        yield program


def test_an_export_that_is_killed_leaves_no_head_and_can_be_given_again(
    cli: Cli, data: Path
) -> None:
    """An empty file of its name would be taken for a head that is kept."""
    with exporting(cli, data) as program:
        assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    assert not (cli.directory / "head.json").exists()
    cli("audit", "export", "--output", "head.json")
    assert list(cli.directory.glob("*head.json*")) == [cli.directory / "head.json"]
    assert list(cli.directory.glob(".*")) == []
    cli("audit", "verify", "--head", "head.json")


def test_of_two_exports_to_one_file_the_second_is_refused(cli: Cli, data: Path) -> None:
    with exporting(cli, data) as program:
        done = cli("audit", "export", "--output", "head.json", code=2)
        assert "head.json can't be written: somebody else is writing it" in done.usage_error
        assert program.stop(signal.SIGKILL) == -signal.SIGKILL
