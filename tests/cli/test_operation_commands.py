"""`factory instantiate --from` and `factory operation …`, against a service."""

import json
import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.conftest import Cli
from tests.cli.relay import Answer, relayed
from tests.support.commands import COMMAND, DEADLINE_S

TEMPLATE = "tpl:wf:onboarding/v2"


def members(said: str) -> dict[str, str]:
    return dict(re.split(r"  +", line, maxsplit=1) for line in said.splitlines() if "  " in line)


def lines_of(count: int, **changed: Any) -> Iterator[str]:
    for number in range(count):
        order = {
            "event_id": str(uuid4()),
            "event_type": "employee.hired",
            "template": TEMPLATE,
            "suffix": str(number),
        }
        yield json.dumps(order | changed) + "\n"


def file_of(cli: Cli, count: int, **changed: Any) -> Path:
    return cli.file(f"{uuid4()}.ndjson", "".join(lines_of(count, **changed)))


def in_a_terminal(cli: Cli, *arguments: str | Path) -> tuple[int, str]:
    """The exit code of a command on a terminal, and everything that it wrote there."""
    ours, its = pty.openpty()
    env = {**cli.env, "TERM": "xterm", "COLUMNS": "100", "LINES": "25"}
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=cli.directory, env=env,
        stdin=subprocess.DEVNULL, stdout=its, stderr=its,
    ) as process:  # fmt: skip
        os.close(its)
        written = b""
        while select.select([ours], [], [], DEADLINE_S)[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:  # that is how a terminal ends on Linux
                break
            if not part:
                break
            written += part
        os.close(ours)
        return process.wait(DEADLINE_S), written.decode()


def test_a_file_becomes_an_operation_that_is_followed_to_its_end(cli: Cli) -> None:
    done = cli("instantiate", "--from", file_of(cli, 450))
    first, *progress = [line for line in done.out.splitlines() if "  " not in line]
    operation = re.fullmatch(r"Operation (\S+): 450 items\.", first)
    assert operation is not None
    assert progress[-1] == "completed: 450 of 450"
    assert members(done.out) == {
        "operation id": operation[1],
        "kind": "instantiate",
        "state": "completed",
        "actor": "admin",
        "total": "450",
        "composed": "450",
    }
    assert cli.json("operation", "watch", operation[1])["composed"] == 450


def test_on_a_terminal_there_is_a_bar_with_rate_and_remaining_time(cli: Cli) -> None:
    code, written = in_a_terminal(cli, "instantiate", "--from", file_of(cli, 1500))
    assert code == 0, written
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert re.search(r"completed ━+ +1500/1500 .*\d/s +\d:\d\d:\d\d", plain), plain
    assert members(plain.replace("\r", "\n"))["composed"] == "1500"


def test_an_array_is_taken_by_the_name_of_its_file(cli: Cli) -> None:
    orders = [json.loads(line) for line in lines_of(3)]
    document = cli.json("instantiate", "--from", cli.file("orders.json", json.dumps(orders)))
    assert (document["state"], document["composed"]) == ("completed", 3)


def test_without_waiting_it_is_said_how_to_watch(cli: Cli) -> None:
    source = file_of(cli, 2)
    key = ("--idempotency-key", str(uuid4()))
    said = cli("instantiate", "--from", source, "--no-wait", *key).out.splitlines()
    operation = said[0].split()[1].rstrip(":")
    assert said == [
        f"Operation {operation}: 2 items.",
        f"See how far it is: factory operation watch {operation}",
    ]
    again = cli.json("instantiate", "--from", source, "--no-wait", *key)
    assert (again["operation_id"], again["total"]) == (operation, 2)
    assert cli.json("operation", "watch", operation)["state"] == "completed"
    other = cli.refusal("instantiate", "--from", file_of(cli, 2), *key, code=2)
    assert other[0].startswith("idempotency_conflict: ")


def test_what_was_refused_is_listed_and_is_the_exit_code(cli: Cli) -> None:
    source = file_of(cli, 12, template="tpl:no:such")
    source.write_text("".join(lines_of(1)) + source.read_text())
    done = cli("instantiate", "--from", source, code=4)
    assert members(done.out)["refused"] == "12"
    assert members(done.out)["composed"] == "1"
    listed = done.out.split("\n\n")[1].splitlines()
    assert [re.split(r"  +", line)[:3] for line in listed[:2]] == [
        ["ordinal", "outcome", "code"],
        ["2", "refused", "template_collection_not_found"],
    ]
    assert listed[-1] == "and 2 more."
    operation = members(done.out)["operation id"]
    shown = cli("operation", "show", operation).out
    assert shown == done.out[done.out.index("operation id") :]
    assert cli.json("operation", "show", operation)["refused"] == 12
    retried = cli("operation", "retry-failed", operation, "--reason", "look again").out
    assert retried == f"Operation {operation} is running: 12 of 13 items are not attempted.\n"
    assert cli.json("operation", "watch", operation, code=4)["refused"] == 12


def test_at_a_closed_gate_it_halts_and_says_how_it_goes_on(cli: Cli) -> None:
    cli("gate", "close", "auto_instantiate_enabled")
    done = cli("instantiate", "--from", file_of(cli, 3), code=5)
    assert members(done.out)["state"] == "halted"
    operation = members(done.out)["operation id"]
    said = done.err.splitlines()
    assert said[0].startswith("live_gate_closed: ")
    assert said[-1] == f"  Then: factory operation resume {operation} --reason '…'"
    assert cli.json("operation", "watch", operation, code=5)["halted_code"] == "live_gate_closed"
    listed = cli("operation", "list", "--state", "halted", "--kind", "instantiate").out
    assert operation in listed
    assert operation in {row["operation_id"] for row in cli.json("operation", "list")}

    cli("gate", "open", "auto_instantiate_enabled", "--reason", "test")
    resumed = cli("operation", "resume", operation, "--reason", "it is open").out
    assert resumed == f"Operation {operation} is running: 3 of 3 items are not attempted.\n"
    assert cli.json("operation", "watch", operation)["composed"] == 3
    refused = cli.refusal("operation", "resume", operation, "--reason", "again", code=6)
    assert refused[0].startswith("operation_state: ")


def test_a_cancelled_operation_is_the_exit_code(cli: Cli) -> None:
    cli("gate", "close", "auto_instantiate_enabled")
    operation = cli.json("instantiate", "--from", file_of(cli, 3), code=5)["operation_id"]
    cancelled = cli.json("operation", "cancel", operation, "--reason", "wrong list")
    assert (cancelled["state"], cancelled["change_reason"]) == ("cancelled", "wrong list")
    assert cli.json("operation", "watch", operation, code=6)["state"] == "cancelled"
    assert cli.refusal("operation", "show", str(uuid4()), code=4)[0].startswith("operation_not")


def test_a_line_that_is_wrong_is_named_and_nothing_is_begun(cli: Cli) -> None:
    before = len(cli.json("operation", "list"))
    source = file_of(cli, 2)
    source.write_text(source.read_text() + "{]\n")
    lines = cli.refusal("instantiate", "--from", source, code=2)
    assert lines[0] == "invalid_input: The body can't be parsed as JSON."
    assert lines[1] == (
        "  line 3, /2: Expecting property name enclosed in double quotes, at line 3 column 2"
    )
    assert len(cli.json("operation", "list")) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a template, or say --from FILE"),
        ((TEMPLATE, "--from", "x"), "name a template, or say --from FILE"),
        (("--from", "missing.ndjson"), "--from missing.ndjson can't be read: No such file"),
        (("--from", "x", "--suffix", "a"), "--suffix does not go with --from: each line has its"),
        ((TEMPLATE, "--no-wait"), "--no-wait goes with --from"),
    ],
)
def test_options_that_do_not_go_together(
    service: Cli, arguments: tuple[str, ...], said: str
) -> None:
    done = service.at("http://127.0.0.1:9")("instantiate", *arguments, code=2)
    assert said in done.usage_error


def test_following_outlives_a_service_that_goes_away(cli: Cli) -> None:
    """It stops, and is back before its database is; the operation is asked for again."""
    answers = [
        Answer(200, ": the service stops\n\n", "text/event-stream"),
        Answer(503, json.dumps({"code": "database_unavailable"})),
    ]

    def lose(_method: str, path: str) -> Answer | None:
        return answers.pop() if path.endswith("/stream") and answers else None

    with relayed(cli.url, lose) as url:
        document = cli.at(url).json("instantiate", "--from", file_of(cli, 3))
    assert (document["state"], answers) == ("completed", [])


def follow_what_answers(cli: Cli, stream: Answer | None) -> str:
    """What the command says in the end, where the stream is answered so, or not at all."""
    operation: dict[str, Any] = {
        "operation_id": str(uuid4()), "kind": "instantiate", "state": "running", "actor": "a",
        "total": 3, "not_attempted": 3,
    }  # fmt: skip

    def between(_method: str, path: str) -> Answer:
        if not path.endswith("/stream"):
            return Answer(200, json.dumps(operation), "application/json")
        if stream is None:
            raise ConnectionResetError
        return stream

    with relayed(cli.url, between) as url:
        done = cli.at(url)("operation", "watch", operation["operation_id"], code=8)
        return done.err.replace(url, "URL")


def test_following_gives_up_when_nobody_answers_any_more(cli: Cli) -> None:
    """Nor is the database waited for longer; both at once, for both wait for seconds."""
    refusal = {"code": "database_unavailable", "detail": "It is away.", "request_id": "r"}
    with ThreadPoolExecutor() as threads:
        gone, away = threads.map(
            partial(follow_what_answers, cli), (None, Answer(503, json.dumps(refusal)))
        )
    assert gone.startswith("Nobody answers at URL (")
    assert away.startswith("database_unavailable: It is away.")
