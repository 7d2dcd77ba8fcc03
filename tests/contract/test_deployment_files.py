"""Dockerfile, compose file and CI: valid, without secrets, and calling what there is."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tools import lint

ROOT = Path(__file__).parents[2]
SECRETS = {"POSTGRES_PASSWORD", "FACTORY_OWNER_PASSWORD", "FACTORY_APP_PASSWORD"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text("docker-compose.yml"))
    return document


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    joined = text("Dockerfile").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


@pytest.mark.parametrize("check", [lint.hadolint, lint.compose_schema])
def test_the_files_are_valid(check: Any) -> None:
    assert check()


def test_the_check_of_the_compose_file_finds_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(text("docker-compose.yml").replace("depends_on:", "depends_upon:"))
    tool = Path(sys.executable).parent / "check-jsonschema"

    done = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", wrong], capture_output=True, check=False
    )

    assert done.returncode == 1


def test_the_image_does_not_run_as_root() -> None:
    users = [arguments for name, arguments in instructions() if name == "USER"]

    assert users == ["10001:10001"]


def test_the_image_is_built_in_stages_and_keeps_no_build_tools() -> None:
    stages = [arguments.split(" AS ")[1] for name, arguments in instructions() if name == "FROM"]
    last = instructions()[[name for name, _ in instructions()].index("FROM", 2) :]

    assert stages == ["build", "run"]
    assert not any("pip" in arguments.split() for _, arguments in last)


def test_the_image_installs_nothing_that_is_not_pinned_by_hash() -> None:
    commands = [
        command
        for name, arguments in instructions()
        if name == "RUN"
        for command in arguments.split("&&")
        if re.search(r"pip (install|wheel)", command)
    ]

    assert len(commands) == 4
    for command in commands:
        assert "--require-hashes" in command or "--no-deps" in command


def test_what_the_image_copies_is_sent_to_the_builder() -> None:
    sent = {
        line[1:].rstrip("/") for line in text(".dockerignore").splitlines() if line.startswith("!")
    }
    copied = {
        source.rstrip("/")
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }

    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)


def test_the_health_checks_need_no_tool_that_the_image_has_not(compose: dict[str, Any]) -> None:
    in_image = next(arguments for name, arguments in instructions() if name == "HEALTHCHECK")
    in_compose = compose["services"]["api"]["healthcheck"]["test"]

    assert 'CMD ["python", "-c"' in in_image
    assert "/livez" in in_image
    assert in_compose[:3] == ["CMD", "python", "-c"]
    assert "/readyz" in in_compose[3]
    compile(in_compose[3], "healthcheck", "exec")


def test_every_service_has_a_health_check_or_says_why_not(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert set(services) == {"postgres", "prepare", "api"}
    assert services["prepare"]["healthcheck"] == {"disable": True}
    assert services["postgres"]["healthcheck"]["test"]
    assert services["api"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "prepare": {"condition": "service_completed_successfully"},
    }


def test_no_secret_has_a_default() -> None:
    uses = re.findall(r"\$\{([A-Z_]+)([^}]*)\}", text("docker-compose.yml"))
    example = dict(
        line.split("=", 1) for line in text(".env.example").splitlines() if re.match(r"[A-Z]", line)
    )

    assert {name for name, _ in uses} == set(example)
    for name, rest in uses:
        assert rest.startswith(":?" if name in SECRETS else ":-"), name
    assert {name for name, value in example.items() if not value} >= SECRETS
    assert not re.search(r"://[^:/\s]+:[^$@\s]+@", text("docker-compose.yml"))
    assert "\n.env\n" in text(".gitignore")


def test_only_the_preparing_step_has_the_stronger_logins(compose: dict[str, Any]) -> None:
    api = compose["services"]["api"]["environment"]

    assert "iu_app:" in api["FACTORY_DATABASE_URL"]
    assert not {"FACTORY_MIGRATION_DATABASE_URL", "FACTORY_SUPERUSER_URL"} & set(api)
    assert "POSTGRES_PASSWORD" not in str(api)


def test_the_service_is_told_only_settings_that_there_are(compose: dict[str, Any]) -> None:
    in_image = [
        pair.split("=")[0]
        for name, arguments in instructions()
        if name == "ENV"
        for pair in arguments.split()
    ]
    told = {*compose["services"]["api"]["environment"], *in_image}

    known = {f"FACTORY_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in told if name.startswith("FACTORY_")} <= known


def test_ci_calls_what_contributing_names() -> None:
    script = text(".ci/run")
    contributing = text("CONTRIBUTING.md")

    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    commands = [line for line in script.splitlines() if line.startswith("make ")]
    assert commands == ["make lint", "make test"]
    assert all(command in contributing for command in commands)
    assert script.rstrip().endswith("make test")
