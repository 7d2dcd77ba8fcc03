"""docs/evidence.md: its commands, run with the tools that they name, and what its tables say."""

import base64
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.evidence.archive import pack
from app.evidence.making import make
from app.signing import SigningKey
from tests.evidence.test_forgeries import (
    change_a_piece,
    change_the_composition_too,
    change_the_heads_too,
    change_the_instances_too,
    change_the_list_too,
    change_the_run_too,
    change_what_names_the_composition_too,
)
from tests.support.evidence import RECORD, Members, answer, forged, sha256

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "evidence.md").read_text("utf-8")
BY_HAND = TEXT.partition("\n## By hand\n")[2]
UNPACKING, *STEPS, KEPT = re.findall(r"^```sh\n(.*?)^```$", BY_HAND, re.MULTILINE | re.DOTALL)

TOOLS = ("sha256sum", "md5sum", "openssl", "jq", "awk", "od", "fold", "split", "cmp", "diff")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

by_hand = pytest.mark.skipif(bool(MISSING), reason=f"there is no {', '.join(MISSING)}")


def run(directory: Path, archive: bytes, *steps: str) -> subprocess.CompletedProcess[str]:
    """Unpack an archive and run steps as one script, which ends where a command fails."""
    (directory / "evidence.zip").write_bytes(archive)
    unpacking = UNPACKING
    if shutil.which("unzip") is None:
        with zipfile.ZipFile(directory / "evidence.zip") as file:
            file.extractall(directory / "evidence")
        unpacking = "cd evidence\n"
    return subprocess.run(
        ["sh", "-e"],
        input=unpacking + "".join(steps),
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def commands_in(readme: str) -> str:
    return "".join(f"{line[4:]}\n" for line in readme.splitlines() if line.startswith("    "))


@by_hand
def test_the_documented_commands_prove_it(archive: bytes, key: SigningKey, tmp_path: Path) -> None:
    chain = answer()["chain"].splitlines(keepends=True)
    last = "".join(chain[-8:])
    (tmp_path / "audit.pub").write_text(key.public_key)
    (tmp_path / "head.json").write_text(json.dumps({"segment_digest": sha256(last)}))
    done = run(tmp_path, archive, *STEPS, KEPT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Signature Verified Successfully",
        "Signature Verified Successfully",
        f"The head that was signed has the digest {sha256(last)}",
    ]


@by_hand
@pytest.mark.parametrize("proven_by", ["run", "older_than_runs", "run_retired"])
@pytest.mark.parametrize("of_an_event", [True, False])
def test_the_commands_of_each_readme_prove_what_there_is(
    key: SigningKey, tmp_path: Path, proven_by: str, of_an_event: bool
) -> None:
    told = {**answer(), "proven_by": proven_by}
    if proven_by != "run":
        told["instances"] = None
    if proven_by == "run_retired":
        told["run"] = None
    if not of_an_event:
        if proven_by == "run":
            return  # there is no such instance
        told |= {"log": None, "data": None}
        told["instance"] = {**told["instance"], "data_digest": None, "product_digest": None}
    archive = make(told, key)
    with zipfile.ZipFile(write(tmp_path / "read.zip", archive)) as file:
        commands = commands_in(file.read("README.txt").decode())
    done = run(tmp_path, archive, commands)
    assert (done.returncode, done.stderr) == (0, "")
    if proven_by == "run":
        assert commands == "".join(STEPS)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@by_hand
@pytest.mark.parametrize(
    "change",
    [
        change_a_piece,
        change_the_composition_too,
        change_what_names_the_composition_too,
        change_the_instances_too,
        change_the_run_too,
        change_the_list_too,
        change_the_heads_too,
    ],
)
def test_the_documented_commands_find_what_was_forged_however_far(
    archive: bytes, key: SigningKey, tmp_path: Path, change: Callable[[Members], None]
) -> None:
    """Lists made anew, and the statement signed again: the step of the next formula fails."""
    signed = forged(archive, key, change)
    done = run(tmp_path, signed, *STEPS)
    assert done.returncode != 0


@by_hand
def test_a_file_too_many_and_one_that_was_changed_are_found_by_hand(
    archive: bytes, tmp_path: Path
) -> None:
    for number, name in enumerate(("README.txt", "extra.txt")):
        directory = tmp_path / str(number)
        directory.mkdir()
        with zipfile.ZipFile(write(directory / "read.zip", archive)) as file:
            members = {one: file.read(one) for one in file.namelist()}
        done = run(directory, pack({**members, name: b"x"}), *STEPS)
        assert done.returncode != 0
        assert name in done.stdout + done.stderr


def test_each_kind_of_finding_is_explained_and_no_other() -> None:
    table = TEXT.partition("\n## What verifying finds\n")[2].partition("\n## ")[0]
    explained: list[str] = []
    for first in re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE):
        explained += re.findall(r"`([a-z_]+)`", first)
    found: set[str] = set()
    for file in (ROOT / "app" / "evidence").glob("*.py"):
        found.update(
            re.findall(
                r'"((?:archive|member|segment|facts|data|product|piece|composition|instances|identity'
                r"|statement|signature|key|head|run)_(?:broken|altered|changed|added|missing|edited"
                r'|unlinked|differs?|unlisted|wrong)|unreadable)"',
                file.read_text("utf-8"),
            )
        )
    assert len(explained) == len(set(explained))
    assert set(explained) == found


def test_each_member_is_explained_and_no_other(archive: bytes, tmp_path: Path) -> None:
    table = TEXT.partition("\n## What is in it\n")[2].partition("\n\n[digests.md]")[0]
    first = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    explained = set(re.findall(r"`([^`]+)`", " ".join(first)))
    with zipfile.ZipFile(write(tmp_path / "read.zip", archive)) as file:
        names = {re.sub(r"^pieces/.*", "pieces/<position>-<role>.txt", n) for n in file.namelist()}
        envelope = json.loads(file.read("statement.dsse.json"))
        statement = json.loads(file.read("statement.json"))
    assert explained == names
    assert f"`{statement['predicateType']}`" in TEXT
    assert json.loads(base64.b64decode(envelope["payload"])) == statement
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert RECORD in json.dumps(statement)
