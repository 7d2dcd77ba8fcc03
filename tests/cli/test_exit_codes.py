"""How a command ends when the service is not there, not well, or not the factory."""

import json
import os
import re
import subprocess

import pytest

from app.cli.output import EXIT_CODES, explained
from app.errors import CATALOGUE, Kind
from app.refusals.spec import RefusalSpec
from tests.cli.conftest import Cli
from tests.cli.relay import Answer, relayed
from tests.support.commands import COMMAND


def of_each_kind() -> list[RefusalSpec]:
    return [next(spec for spec in CATALOGUE.values() if spec.kind is kind) for kind in Kind]


def problem(spec: RefusalSpec) -> dict[str, object]:
    named = {member.name: member.example for member in spec.members}
    return {
        "type": spec.page,
        "title": spec.title,
        "status": spec.status,
        "detail": spec.meaning,
        "code": spec.code,
        "request_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
        **named,
    }


def test_every_kind_of_refusal_has_its_exit_code() -> None:
    assert EXIT_CODES.keys() == set(Kind)
    assert sorted(EXIT_CODES.values()) == list(range(1, 9))


@pytest.mark.parametrize("spec", of_each_kind(), ids=lambda spec: spec.kind)
def test_a_refusal_ends_the_command_with_the_exit_code_of_its_kind(
    service: Cli, spec: RefusalSpec
) -> None:
    document = problem(spec)
    with relayed(
        service.url, lambda _method, _path: Answer(spec.status, json.dumps(document))
    ) as url:
        lines = service.at(url).refusal("gate", "list", code=EXIT_CODES[spec.kind])
        assert service.at(url).json("gate", "list", code=EXIT_CODES[spec.kind]) == document
    assert lines[0] == f"{spec.code}: {spec.meaning}"
    assert lines[-1].startswith("  What helps: ")


def test_what_helps_is_a_command_where_there_is_one() -> None:
    has_a_command = re.compile(r"(GET|POST|PUT) /(templates|pieces|gates|api-keys)(?!/mark)")
    no_command_asks = {"lease_not_found", "payload_invalid", "precondition_required"}
    said = {code: explained(problem(spec)) for code, spec in CATALOGUE.items()}
    assert {code for code, text in said.items() if has_a_command.search(text)} == no_command_asks


def test_nobody_answers(service: Cli) -> None:
    done = service.at("http://127.0.0.1:9")("gate", "list", code=8)
    assert (done.out, done.err) == (
        "",
        "Nobody answers at http://127.0.0.1:9 ([Errno 111] Connection refused): start the service"
        " with `factory serve`, or set FACTORY_URL.\n",
    )
    seeding = service.at("http://127.0.0.1:9")("seed", code=8).err
    assert seeding.startswith("Nobody answers at http://127.0.0.1:9 (")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>It works!</html>", "text/html"),
        Answer(502, "<html>Bad gateway</html>", "text/html"),
        Answer(200, "{", "application/json"),
        Answer(404, '{"message": "not found"}', "application/json"),
    ],
    ids=["a page", "a proxy", "half a document", "another API"],
)
def test_somebody_else_answers(service: Cli, answer: Answer) -> None:
    with relayed(service.url, lambda _method, _path: answer) as url:
        done = service.at(url)("gate", "list", code=8)
    assert (done.out, done.err) == (
        "",
        f"{url}/gates answered {answer.status}, and not as the factory does: is FACTORY_URL"
        " right?\n",
    )


def test_a_seeding_that_is_refused_ends_as_any_refusal(service: Cli) -> None:
    refused = CATALOGUE["template_authoring_gate_closed"]
    with relayed(
        service.url, lambda _method, _path: Answer(409, json.dumps(problem(refused)))
    ) as url:
        lines = service.at(url).refusal("seed", code=5)
    assert lines[0].startswith("template_authoring_gate_closed: ")


def test_an_unknown_code_of_a_newer_service_is_still_told(service: Cli) -> None:
    document = {"code": "brand_new", "detail": "It is new.", "request_id": "r"}
    with relayed(service.url, lambda _method, _path: Answer(418, json.dumps(document))) as url:
        assert service.at(url).refusal("gate", "list", code=1) == ["brand_new: It is new."]


def test_settings_that_cannot_be_used_are_told_one_a_line(service: Cli) -> None:
    wrong = service.env | {"FACTORY_PORT": "http", "FACTORY_LOG_LEVEL": "loud"}
    done = Cli(service.url, service.directory, wrong)("gate", "list", code=1)
    assert done.err.splitlines() == [
        "FACTORY_PORT must be a whole number from 0 to 65535, but is 'http'.",
        "FACTORY_LOG_LEVEL must be debug, info, warning or error, but is 'loud'.",
    ]


def test_a_reader_that_goes_away_ends_a_command_quietly(service: Cli) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for arguments in (("gate", "list"), ("gate", "list", "--json")):
            done = subprocess.run(
                [*COMMAND, *arguments],
                env=service.env,
                cwd=service.directory,
                stdout=writing,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=60,
            )
            assert (done.returncode, done.stderr) == (1, "")
    finally:
        os.close(writing)


def test_a_terminal_that_knows_few_characters_ends_no_command(service: Cli) -> None:
    plain = service.env | {"PYTHONIOENCODING": "ascii"}
    done = Cli(service.url, service.directory, plain)(
        "gate", "open", "nope", "--reason", "ü", code=4
    )
    assert "What helps" in done.err
    assert Cli(service.url, service.directory, plain).json("template", "list")


def test_a_title_cannot_command_the_terminal(service: Cli) -> None:
    template = {"template_key": "tpl:wf:x/v1", "status": "current", "title": "\x1b[2Jgone\x07"}
    page = {"items": [template | {"piece_count": 1}], "next_page_token": None}
    with relayed(
        service.url, lambda _method, _path: Answer(200, json.dumps(page), "application/json")
    ) as url:
        said = service.at(url)("template", "list").out
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\N{REPLACEMENT CHARACTER}[2Jgone" in said
