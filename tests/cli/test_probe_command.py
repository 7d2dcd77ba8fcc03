"""`factory probe`: what it shows, how it ends, and that nothing is left of it when it is killed."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.hosting import EMBEDDED_DATABASE
from tests.cli.conftest import Cli
from tests.cli.hosted import ask, beside, held
from tests.cli.relay import Answer, relayed
from tests.embedded.helpers import wait_until
from tests.support.commands import Hosting, hosting
from tests.support.contents import contents

HOLD = "SELECT iu_core.fn_iu_lock('outbound_routes', '{outbound_routes}', false)"
"""What a probe waits for in the middle: it has composed, and not told it to the routes yet."""

AT_WORK = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND state <> 'idle'
"""

C2: dict[str, Any] = {
    "probe": "C2",
    "given": "emit mode shadow",
    "expected": {"status": "invalid_emit_mode"},
    "actual": {"status": "ok", "pieces_attached": 5},
    "verdict": "differs",
    "note": None,
}
C9: dict[str, Any] = {
    "probe": "C9",
    "given": "live, both gates open",
    "expected": {"status": "ok"},
    "actual": {"status": "live_gate_closed"},
    "verdict": "not_run",
    "note": "somebody closed a gate meanwhile: probe again",
}


def test_all_twelve_are_shown(cli: Cli) -> None:
    done = cli("probe")
    lines = done.out.splitlines()
    assert done.err == ""
    assert lines[0].split() == ["probe", "given", "verdict", "answer"]
    assert [line.split()[0] for line in lines[1:13]] == [f"C{number}" for number in range(1, 13)]
    assert lines[2] == (
        "C2     emit mode shadow                           holds    status: invalid_emit_mode"
    )
    assert lines[13:] == ["All of them hold, and nothing is left of them."]


def test_programs_get_the_report(cli: Cli) -> None:
    report = cli.json("probe")
    assert report["verdict"] == "holds"
    assert {row["verdict"] for row in report["probes"]} == {"holds"}
    assert len(report["probes"]) == 12


@pytest.mark.parametrize(
    ("verdict", "row", "code", "answer", "end"),
    [
        (
            "differs",
            C2,
            1,
            "status: ok, pieces_attached: 5; expected: status: invalid_emit_mode",
            "Something does not hold.",
        ),
        (
            "not_run",
            C9,
            2,
            "status: live_gate_closed; expected: status: ok; somebody closed a gate meanwhile:"
            " probe again",
            "Not all of them could be run.",
        ),
    ],
    ids=["differs", "not run"],
)
def test_what_does_not_hold_is_told_apart_from_what_was_not_run(
    service: Cli, verdict: str, row: dict[str, Any], code: int, answer: str, end: str
) -> None:
    report = {"verdict": verdict, "probes": [row]}
    answered = Answer(200, json.dumps(report), "application/json")
    with relayed(service.url, lambda _method, _path: answered) as url:
        done = service.at(url)("probe", code=code)
        assert service.at(url).json("probe", code=code) == report
    assert done.out.splitlines()[1].endswith(answer)
    assert done.err == f"{end}\n"


def test_a_refusal_says_that_they_could_not_be_run(producer: Cli) -> None:
    lines = producer.refusal("probe", code=2)
    assert lines[0].startswith("forbidden: ")


def test_a_service_that_is_not_there_says_so_too(service: Cli) -> None:
    assert service.at("http://127.0.0.1:9")("probe", code=2).err.startswith("Nobody answers at ")


def test_settings_that_cannot_be_used_say_so_too(service: Cli) -> None:
    wrong = Cli(service.url, service.directory, service.env | {"FACTORY_PORT": "http"})
    assert wrong("probe", code=2).err.startswith("FACTORY_PORT must be ")


def test_nothing_is_left_of_one_that_is_killed(
    evaluation: tuple[Hosting, Path], service: Cli
) -> None:
    _, data = evaluation
    with beside(data) as server:
        url = server.url("postgres", EMBEDDED_DATABASE)

        async def everything() -> dict[str, str]:
            connection = await asyncpg.connect(url)
            try:
                return await contents(connection)
            finally:
                await connection.close()

        before = asyncio.run(everything())
        with (
            held(url, HOLD) as holder,
            hosting("probe", env=service.env, cwd=service.directory) as program,
        ):
            wait_until(holder.somebody_waits, "the probe has composed")
            assert program.stop(signal.SIGKILL) == -signal.SIGKILL
            assert program.out == ""
        wait_until(lambda: ask(server, AT_WORK) == 0, "the service is done")
        assert asyncio.run(everything()) == before
