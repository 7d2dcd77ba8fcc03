"""`factory evidence …`: got from a service of its own, and verified without one."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.evidence.archive import pack, unpack
from app.signing import SigningKey
from tests.cli.conftest import Cli
from tests.cli.test_audit_commands import AHEAD, owner_does
from tests.support.commands import environment, hosting
from tests.support.evidence import sha256

TEMPLATE = "tpl:wf:onboarding/v1"


@pytest.fixture
def cli(data: Path) -> Iterator[Cli]:
    """The command line of who started a service of its own."""
    env = environment(FACTORY_DATA_DIR=str(data), FACTORY_PORT="0")
    with hosting("serve", "--json", env=env, cwd=data.parent) as program:
        url = program.document()["url"]
        yield Cli(url, data.parent, environment(FACTORY_DATA_DIR=str(data), FACTORY_URL=url))


@pytest.fixture
def instance(cli: Cli) -> str:
    """An instance whose run is not sealed yet."""
    for gate in ("composer_enabled", "auto_instantiate_enabled"):
        cli("gate", "open", gate, "--reason", "a test")
    made: str = cli.json("instantiate", TEMPLATE)["instance_collection_id"]
    return made


def test_evidence_is_got_and_verified_with_what_was_kept_elsewhere(
    cli: Cli, data: Path, instance: str
) -> None:
    refused = cli.refusal("evidence", "get", instance, code=6)
    assert refused[0].startswith("evidence_not_sealed: ")
    assert not (cli.directory / f"evidence-{instance}.zip").exists(), "nothing is left of it"

    asyncio.run(owner_does(data, AHEAD))
    cli("audit", "seal")
    got = cli("evidence", "get", instance).out
    name = f"evidence-{instance}.zip"
    assert got == f"The evidence is in {name}: factory evidence verify {name}\n"
    again = cli("evidence", "get", instance, code=2)
    assert f"{name} can't be written: File exists" in again.usage_error

    cli("audit", "export", "--output", "head.json")
    head = json.loads((cli.directory / "head.json").read_text())
    public = cli.file("audit.pub", SigningKey.kept_in(data / "audit.key").public_key)
    assert cli.json("evidence", "get", instance, "-o", "e.zip", "--head", "head.json") == {
        "output": "e.zip"
    }
    offline = cli.at("http://127.0.0.1:1")
    members = unpack((cli.directory / "e.zip").read_bytes())
    says = json.loads(members["statement.json"])["predicate"]
    assert offline.json("evidence", "verify", "e.zip") == {
        "holds": True,
        "compared_with": [],
        "findings": [],
        "says": says,
    }
    said = offline("evidence", "verify", "e.zip", "--head", "head.json", "--key", public).out
    assert said.splitlines() == [
        f"Instance {instance}",
        f"composed at {says['composed_at']} from {TEMPLATE}, not the current version then",
        f"composition {says['composition_digest']}",
        f"data {says['data_digest']}",
        f"Proven by: its run {says['run']['record_id']} is sealed in segment"
        f" {says['segment']['segment_no']}.",
        f"Signed with it: the head of segment {head['segment_no']}, {head['segment_digest']}",
        "Everything holds, with the head and the key that you have.",
    ]
    assert offline("evidence", "verify", "e.zip").out.splitlines()[-1] == (
        "Everything holds, with the key that is in it: compare that with --key, or --head."
    )


def test_what_was_changed_is_named_and_the_exit_code_says_so(
    cli: Cli, data: Path, instance: str
) -> None:
    asyncio.run(owner_does(data, AHEAD))
    cli("audit", "seal")
    cli("evidence", "get", instance, "-o", "e.zip")
    archive = cli.directory / "e.zip"
    members = unpack(archive.read_bytes())
    archive.write_bytes(pack({**members, "data.json": b'{"a":1}'}))
    done = cli("evidence", "verify", "e.zip", code=6)
    assert done.err == "The evidence does not hold.\n"
    assert "member_changed" in done.out
    assert "data.json" in done.out
    document = cli.json("evidence", "verify", "e.zip", code=6)
    assert document["holds"] is False
    assert {
        "kind": "member_changed",
        "subject": "data.json",
        "expected": sha256(members["data.json"]),
        "actual": sha256('{"a":1}'),
    } in document["findings"]

    (cli.directory / "none.zip").write_bytes(b"none")
    document = cli.json("evidence", "verify", "none.zip", code=6)
    assert [found["kind"] for found in document["findings"]] == ["archive_broken"]
    assert document["says"] == {}

    other = cli.file("other.pub", SigningKey.kept_in(cli.directory / "other.key").public_key)
    archive.write_bytes(pack(members))
    document = cli.json("evidence", "verify", "e.zip", "--key", other, code=6)
    assert "key_differs" in [found["kind"] for found in document["findings"]]


def test_what_can_t_be_read_or_written_is_said(cli: Cli, instance: str) -> None:
    assert "gone.zip can't be read" in cli("evidence", "verify", "gone.zip", code=2).usage_error
    cli.file("e.zip", "")
    for key, problem in (("gone.pub", "can't be read"), ("e.zip", "is no key")):
        done = cli("evidence", "verify", "e.zip", "--key", key, code=2)
        assert problem in done.usage_error
    done = cli("evidence", "verify", "e.zip", "--head", "e.zip", code=2)
    assert "is no head" in done.usage_error
    done = cli("evidence", "get", instance, "-o", "no/e.zip", code=2)
    assert "can't be written: No such file" in done.usage_error
    cli.at("http://127.0.0.1:1")("evidence", "get", instance, "-o", "new.zip", code=8)
    assert not (cli.directory / "new.zip").exists()
