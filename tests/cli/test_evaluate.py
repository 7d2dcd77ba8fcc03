"""`factory evaluate`: what a newcomer sees, and what works as it stands on the screen."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.evaluation import EVENT_ID, GATES
from tests.cli.hosted import ask, beside
from tests.embedded.helpers import wait_until
from tests.support.commands import COMMAND, ROOT, Done, Hosting, environment, factory, hosting

TEMPLATES = ("tpl:wf:onboarding", "tpl:file:status-report")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the newcomer is: a directory with spaces in its name."""
    return tmp_path_factory.mktemp("my first factory")


@pytest.fixture(scope="module")
def evaluation(directory: Path) -> Iterator[Hosting]:
    """An evaluation with the data directory of the defaults, on a free port."""
    with hosting("evaluate", env=environment(FACTORY_PORT="0"), cwd=directory) as program:
        program.says("Ctrl-C stops")
        yield program


def url_of(evaluation: Hosting) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+", evaluation.out)
    assert found is not None
    return found[0]


def shell(script: str, cwd: Path) -> Done:
    """What a newcomer's shell makes of lines that were copied from the screen."""
    # Without PYTHONPATH, and with nothing of the first terminal's environment.
    env = environment() | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        ["sh", "-c", script],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Done(ran.returncode, ran.stdout, ran.stderr)


def paragraph(said: str, beginning: str) -> str:
    """The lines that a newcomer would copy."""
    (found,) = [part for part in said.split("\n\n") if part.startswith(beginning)]
    return found


def test_it_says_what_there_is_and_where(evaluation: Hosting, directory: Path) -> None:
    said = evaluation.out
    url = url_of(evaluation)
    key = (directory / "var" / "admin.key").read_text().strip()
    assert re.match(
        r"The database is at revision \d{4}: \d+ revisions run, \d+ functions and views installed,"
        r" 0 removed\.\n",
        said,
    )
    assert f"\nProduct factory 0.1.0 at {url}\n" in said
    assert f"  API docs    {url}/docs\n" in said
    assert re.search(r"  Database    PostgreSQL \d+\.\d+, embedded, in var\n", said)
    assert f"  Admin key   {key}\n              kept in var/admin.key\n" in said
    assert (
        "  Templates   tpl:wf:onboarding/v1, loaded now\n"
        "              tpl:wf:onboarding/v2, loaded now\n"
        "              tpl:wf:onboarding/v3, loaded now\n"
        "              tpl:file:status-report/v1, loaded now\n"
        "              tpl:file:status-report/v2, loaded now\n"
        "              tpl:file:status-report/v3, loaded now\n"
    ) in said
    assert said.endswith("\nCtrl-C stops the service and its database; the data stays in var.\n")
    assert max(len(line) for line in said.splitlines() if "gate close" not in line) <= 100


def test_it_says_which_gates_are_open_until_when_and_why(evaluation: Hosting) -> None:
    heading = re.search(
        r"  Gates       open for 8 hours, until ([\d-]+ [\d:]+) \S+, by leases \(evaluation\):\n"
        r"((?:              iu_core\.\w+\n)+)\n",
        evaluation.out,
    )
    assert heading is not None
    assert tuple(heading[2].split()) == GATES
    until = datetime.strptime(heading[1], "%Y-%m-%d %H:%M").astimezone()
    assert abs(until - datetime.now(UTC) - timedelta(hours=8)) < timedelta(minutes=10)


def test_the_first_request_works_as_it_stands_and_again(
    evaluation: Hosting, directory: Path
) -> None:
    script = paragraph(evaluation.out, "curl ")

    first, again = (json.loads(shell(script, directory).out) for _ in range(2))

    assert first.pop("outcome") == "composed"
    assert again.pop("outcome") == "idempotent_replay"
    assert again == first
    assert first["event_id"] == str(EVENT_ID)
    assert (first["pieces_attached"], first["digest_matches_template"]) == (5, True)


def test_the_readme_shows_the_same_request(evaluation: Hosting) -> None:
    script = paragraph(evaluation.out, "curl ")
    readme = (ROOT / "README.md").read_text()
    assert script.replace(url_of(evaluation), "http://127.0.0.1:8000") in readme


def test_the_gates_are_closed_as_it_says(evaluation: Hosting, directory: Path) -> None:
    script = paragraph(evaluation.out, f"FACTORY_URL={url_of(evaluation)} ")
    assert script.endswith(" gate close --all --reason 'evaluation over'")

    done = shell(script, directory)

    assert done.code == 0, done
    assert "iu_core.composer_enabled is closed, 1 lease ended.\n" in done.out
    listing = script.partition(" gate close")[0] + " gate list --json"
    states = {gate["state"] for gate in json.loads(shell(listing, directory).out)}
    assert states == {"closed"}


def test_nothing_secret_stands_in_a_command_or_in_the_log(
    evaluation: Hosting, directory: Path
) -> None:
    key = (directory / "var" / "admin.key").read_text().strip()
    assert evaluation.out.count(key) == 1, "where it is shown, and in no command"
    assert key not in evaluation.err
    passwords = json.loads((directory / "var" / "postgres.passwords").read_text())
    for password in passwords.values():
        assert password not in evaluation.out + evaluation.err
        # Whoever may look at the processes of this machine sees their arguments.
        assert password not in _arguments_of_all_processes()
    assert key not in _arguments_of_all_processes()


def _arguments_of_all_processes() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:  # it has ended
            continue
    return b"\n".join(found).decode("utf-8", "replace")


def test_its_log_tells_of_requests_and_of_nothing_that_it_did_itself(
    evaluation: Hosting,
) -> None:
    httpx.get(f"{url_of(evaluation)}/livez", trust_env=False)
    wait_until(lambda: "route=/livez" in evaluation.err, "the request in the log")
    assert "/templates" not in evaluation.err
    assert "HTTP Request" not in evaluation.err


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """The environment of an evaluation of a test's own."""
    return environment(FACTORY_DATA_DIR=str(tmp_path / "data"), FACTORY_PORT="0")


def leases(document: Any) -> set[str]:
    return {gate for gate, until in document["leases"].items() if until is not None}


def test_a_program_is_told_in_a_document(settings: dict[str, str], tmp_path: Path) -> None:
    with hosting("evaluate", "--json", env=settings, cwd=tmp_path) as program:
        document = program.document()
        assert program.stop() == 0
    assert document["admin_key_file"] == str(tmp_path / "data" / "admin.key")
    assert leases(document) == set(GATES)
    assert document["templates"] == {
        "made": [f"{family}/v{number}" for family in TEMPLATES for number in (1, 2, 3)],
        "there": [],
    }
    assert document["url"].startswith("http://127.0.0.1:")
    assert (tmp_path / "data" / "admin.key").read_text().strip() not in program.out
    assert program.out.endswith("\n}\n"), "nothing but the document"


def test_a_second_run_finds_what_the_first_one_left(
    settings: dict[str, str], tmp_path: Path
) -> None:
    order = ("instantiate", f"{TEMPLATES[0]}/v2", "--event-id", str(EVENT_ID), "--json")

    def once() -> tuple[str, Any, Any, str]:
        with hosting("evaluate", env=settings, cwd=tmp_path) as program:
            said = program.says("Ctrl-C stops")
            client = settings | {"FACTORY_URL": url_of(program)}
            listed = factory("template", "list", "--json", env=client, cwd=tmp_path).document
            made = factory(*order, env=client, cwd=tmp_path).document
            assert program.stop() == 0
        return (tmp_path / "data" / "admin.key").read_text(), listed, made, said

    first, second = once(), once()

    assert second[:2] == first[:2], "the same key, the same templates"
    assert first[2].pop("outcome") == "composed"
    assert second[2].pop("outcome") == "idempotent_replay"
    assert second[2] == first[2]
    assert re.match(r"The database is at revision \d{4}: nothing to do\.\n", second[3])
    assert (
        "  Templates   tpl:wf:onboarding, there already\n"
        "              tpl:file:status-report, there already\n"
    ) in second[3]


def test_what_an_interrupted_run_has_not_loaded_is_loaded_by_the_next(
    settings: dict[str, str], tmp_path: Path
) -> None:
    cut_off = (*COMMAND[:2], "tests.cli.interrupted")
    made = []
    for command in (cut_off, COMMAND, COMMAND):
        with hosting("evaluate", "--json", env=settings, cwd=tmp_path, command=command) as program:
            made.append(program.document()["templates"])
            assert program.stop() == 0
    onboarding, report = TEMPLATES
    assert made == [
        {"made": [f"{onboarding}/v1"], "there": []},
        {
            "made": [
                *(f"{onboarding}/v{number}" for number in (2, 3)),
                *(f"{report}/v{number}" for number in (1, 2, 3)),
            ],
            "there": [],
        },
        {"made": [], "there": [onboarding, report]},
    ]


def test_a_gate_that_was_sealed_stays_closed_and_is_said(data: Path, tmp_path: Path) -> None:
    seal = (
        "SELECT iu_core.fn_iu_gate_close(ARRAY['iu_core.composer_enabled'],"
        " true, 'audit', 'x', 'x', NULL)"
    )
    env = environment(FACTORY_DATA_DIR=str(data), FACTORY_PORT="0")
    with beside(data) as server:
        ask(server, seal)
    with hosting("evaluate", env=env, cwd=tmp_path) as program:
        said = program.says("Ctrl-C stops")
    assert "              iu_core.composer_enabled is sealed, and stays closed\n" in said
    assert "              iu_core.auto_instantiate_enabled\n" in said


def test_serving_opens_nothing_and_says_so(settings: dict[str, str], tmp_path: Path) -> None:
    factory("migrate", env=settings, cwd=tmp_path)
    with hosting("serve", env=settings, cwd=tmp_path) as program:
        said = program.says("Ctrl-C stops")
        client = settings | {"FACTORY_URL": url_of(program)}
        gates = factory("gate", "list", "--json", env=client, cwd=tmp_path).document
    assert {gate["state"] for gate in gates} == {"closed"}
    assert (
        "  Gates       as they were left; closed until somebody opens them:\n"
        f"              FACTORY_URL={url_of(program)} FACTORY_DATA_DIR={tmp_path}/data "
    ) in said
    assert f"  Admin key   {(tmp_path / 'data' / 'admin.key').read_text()}" in said
