"""What is installed is pinned by hash, from wheels, and says nothing of where it was fetched."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lock import LOCKS, complaints

ROOT = Path(__file__).parents[2]
NAMES = [name for name, _, _ in LOCKS]


def pins(name: str) -> dict[str, set[str]]:
    """The versions that a lock pins, by distribution; some platforms may have one of their own."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"([a-z0-9][a-z0-9._-]*)(?:\[.*\])?==([^ ]+)", line):
            found.setdefault(canonicalize_name(pin[1]), set()).add(pin[2])
    return found


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements_of(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_holds_pins_and_hashes_only(name: str) -> None:
    assert complaints((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_has_the_hash_of_a_file(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "--find-links /srv/wheels",
        "-e .",
        "/srv/wheels/app-1.0-py3-none-any.whl",
        "./app-1.0-py3-none-any.whl",
        "app @ file:///srv/app-1.0-py3-none-any.whl",
        "app @ https://packages.example/app-1.0-py3-none-any.whl",
        "app>=1.0",
        "app==1.0",
        "# fetched from https://packages.example/simple",
        "    --hash=md5:d41d8cd98f00b204e9800998ecf8427e",
    ],
)
def test_a_lock_that_says_anything_else_is_refused(line: str) -> None:
    sound = "app[one, two]==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via something\n"
    assert complaints(sound) == []

    assert complaints(sound + line + "\n") == [f"line 4: {line}"]


def test_the_locks_satisfy_what_is_asked_for() -> None:
    asked = {
        "requirements.txt": [Requirement(text) for text in project()["project"]["dependencies"]],
        "requirements-dev.txt": requirements_of("requirements-dev.in"),
        "requirements-bench.txt": requirements_of("requirements-bench.in"),
        "requirements-build.txt": requirements_of("requirements-build.in"),
        "requirements-pip.txt": requirements_of("requirements-pip.in"),
        "requirements-servers.txt": requirements_of("requirements-servers.in"),
    }
    missing = [
        f"{name}: {requirement}"
        for name, requirements in asked.items()
        for requirement in requirements
        if not pins(name).get(canonicalize_name(requirement.name))
        or not all(
            requirement.specifier.contains(version)
            for version in pins(name)[canonicalize_name(requirement.name)]
        )
    ]

    assert missing == []


def test_the_build_uses_what_the_build_system_asks_for() -> None:
    asked = [Requirement(text) for text in project()["build-system"]["requires"]]

    assert {canonicalize_name(requirement.name) for requirement in asked} <= set(
        pins("requirements-build.txt")
    )


@pytest.mark.parametrize("name", [name for name in NAMES[1:] if name != "requirements-servers.txt"])
def test_tests_and_builds_run_on_what_is_installed(name: str) -> None:
    runtime, other = pins("requirements.txt"), pins(name)

    assert {d: other[d] for d in runtime.keys() & other.keys() if other[d] != runtime[d]} == {}


def test_tests_have_all_that_the_program_has_and_benchmarks_all_that_tests_have() -> None:
    locks = [pins(f"requirements{kind}.txt") for kind in ("", "-dev", "-bench")]

    assert locks[0].keys() <= locks[1].keys() <= locks[2].keys()
    assert locks[1] == {name: locks[2][name] for name in locks[1]}
