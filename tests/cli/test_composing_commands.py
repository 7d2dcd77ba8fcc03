"""`factory instantiate`, `factory verify` and `factory rollback`, against a service."""

import hashlib
import json
import re
from uuid import uuid4

import pytest

from tests.cli.conftest import Cli
from tests.cli.relay import Answer, relayed

TEMPLATE = "tpl:wf:onboarding/v2"


def members(said: str) -> dict[str, str]:
    return dict(re.split(r"  +", line, maxsplit=1) for line in said.splitlines() if "  " in line)


def test_the_same_event_again_answers_the_same_instance(cli: Cli) -> None:
    event = str(uuid4())
    order = ("instantiate", TEMPLATE, "--event-id", event, "--suffix", "ada", "--data", '{"x": 1}')

    first = members(cli(*order).out)
    assert first["outcome"] == "composed"
    assert (first["pieces attached"], first["digest matches template"]) == ("5", "yes")
    key = f"{event}:{first['template collection id']}:ada"
    assert first["idempotency key"] == hashlib.md5(key.encode()).hexdigest()

    again = cli.json(*order)
    assert again["outcome"] == "idempotent_replay"
    assert again["instance_collection_id"] == first["instance collection id"]

    lines = cli.refusal(*order[:-1], '{"x": 2}', code=2)
    assert lines[0].startswith("idempotency_conflict: ")
    assert lines[1] == "  fields: data"


def test_without_an_event_there_is_a_new_one_each_time(cli: Cli) -> None:
    events = {cli.json("instantiate", TEMPLATE)["event_id"] for _ in range(2)}
    assert len(events) == 2


def test_every_option_reaches_the_service(cli: Cli) -> None:
    template = cli.json("template", "show", TEMPLATE)["template_collection_id"]
    payload = cli.file("payload.json", '{"name": "Ada"}')
    made = cli.json(
        "instantiate", template, "--event-type", "employee.hired", "--suffix", "s",
        "--actor", "admin-cli", "--reason", "because", "--data", f"@{payload}",
    )  # fmt: skip
    assert (made["event_type"], made["instance_key"]) == ("employee.hired", "tpl-inst:auto:s")
    assert (made["actor"], made["template_key"]) == ("admin-cli", TEMPLATE)
    superseded = "tpl:wf:onboarding/v1"
    assert cli.json("instantiate", superseded)["warnings"] == ["template_superseded"]
    lines = cli.refusal("instantiate", superseded, "--require-current", code=6)
    assert lines[0].startswith("template_superseded: ")
    assert "  current: tpl:wf:onboarding/v3" in lines


def test_a_dry_run_says_what_would_come(cli: Cli) -> None:
    would = members(cli("instantiate", TEMPLATE, "--dry-run").out)
    assert (would["outcome"], would["would be"]) == ("dry_run", "composed")
    assert cli.json("instantiate", TEMPLATE, "--dry-run")["would_be"] == "composed"

    refused = ("instantiate", "tpl:wf:onboarding/v1", "--require-current", "--dry-run")
    done = cli(*refused, code=6)
    assert done.out == ""
    assert done.err.startswith("It would be refused. template_superseded: ")
    assert "  current: tpl:wf:onboarding/v3\n" in done.err
    document = cli.json(*refused, code=6)
    assert (document["outcome"], document["would_be"]) == ("dry_run", "refused")


def test_at_a_closed_gate_it_is_said_which_command_opens_it(cli: Cli) -> None:
    cli("gate", "close", "auto_instantiate_enabled")
    lines = cli.refusal("instantiate", TEMPLATE, code=5)
    assert lines[0].startswith("live_gate_closed: ")
    assert lines[1:] == [
        "  gate: iu_core.auto_instantiate_enabled",
        "  resolve: /gates/iu_core.auto_instantiate_enabled",
        "  What helps: an operator opens it for a while:"
        " factory gate lease auto_instantiate_enabled --reason '…'",
    ]


def test_what_is_wrong_with_an_event_is_told_at_once(cli: Cli) -> None:
    lines = cli.refusal(
        "instantiate", TEMPLATE, "--event-id", "1", "--actor", "No", "--data", "[]", code=2
    )
    assert lines[0].startswith("invalid_input: ")
    pointers = [line.split(":")[0].strip() for line in lines[1:-1]]
    assert pointers == ["/event_id", "/actor", "/data"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", "--data is no JSON: Expecting property name"),
        ("@missing.json", "--data @missing.json can't be read: No such file"),
    ],
)
def test_data_that_is_no_json_is_not_sent(service: Cli, data: str, said: str) -> None:
    done = service.at("http://127.0.0.1:9")("instantiate", TEMPLATE, "--data", data, code=2)
    assert said in done.usage_error


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"a": NaN}', "  NaN is no JSON"),
        ('{"a": 1, "a": 2}', "  /data/a: the name occurs more than once"),
    ],
)
def test_data_is_sent_as_it_was_written(cli: Cli, data: str, said: str) -> None:
    lines = cli.refusal("instantiate", TEMPLATE, "--data", data, code=2)
    assert lines[0].startswith("invalid_input: ")
    assert lines[1] == said


def test_arguments_that_are_no_text_are_refused_by_the_service(cli: Cli) -> None:
    problem = cli.json("instantiate", TEMPLATE, "--suffix", "\udce4", code=2)
    assert problem["code"] == "invalid_input"


def test_another_actor_than_the_keys_is_the_callers_fault(cli: Cli, producer: Cli) -> None:
    lines = producer.refusal("instantiate", TEMPLATE, "--actor", "admin", code=3)
    assert lines[0].startswith("actor_not_allowed: ")
    assert lines[1] == "  actor: admin"


def test_an_instance_and_everything_is_verified(cli: Cli) -> None:
    instance = cli.json("instantiate", TEMPLATE)["instance_collection_id"]
    assert cli("verify", instance).out == "The instance holds.\n"
    assert cli.json("verify", instance)["holds"] is True
    assert cli("verify").out == "Everything holds.\n"
    assert cli.json("verify")["findings"] == []
    missing = cli.refusal("verify", str(uuid4()), code=4)
    assert missing[0].startswith("instance_not_found: ")


def test_what_does_not_hold_is_listed_and_is_the_exit_code(service: Cli) -> None:
    finding = {
        "kind": "instance_diverges",
        "subject": "instance 5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
        "expected": "9f86d081",
        "actual": "2c26b46b",
    }
    found = {
        "holds": False,
        "counts": {"instance_diverges": 2},
        "findings": [finding],
        "truncated": True,
    }
    with relayed(
        service.url, lambda _method, _path: Answer(200, json.dumps(found), "application/json")
    ) as url:
        done = service.at(url)("verify", code=6)
        assert service.at(url).json("verify", code=6) == found
    assert [re.split(r"  +", line) for line in done.out.splitlines()] == [
        ["kind", "expected", "actual", "subject"],
        ["instance_diverges", "9f86d081", "2c26b46b", finding["subject"]],
        ['There are more; by kind: {"instance_diverges": 2}'],
    ]
    assert done.err == "Something does not hold.\n"


def test_a_rollback_is_planned_then_applied(cli: Cli) -> None:
    actor = f"admin-{uuid4().hex[:8]}"
    event = str(uuid4())
    order = ("instantiate", TEMPLATE, "--actor", actor, "--event-id", event)
    instance = cli.json(*order)["instance_collection_id"]

    planned = cli("rollback", "--actor", actor, "--template", "tpl:wf:onboarding").out
    assert members(planned) | {"plan digest": ""} == {
        "instances": "1",
        "lineage rows": "1",
        "log rows": "1",
        "actors": actor,
        "plan digest": "",
    }
    assert planned.endswith("\nNothing was removed. Say --apply --reason '…' to remove it.\n")
    cli("verify", instance)

    applied = members(cli("rollback", "--actor", actor, "--apply", "--reason", "wrong list").out)
    assert (applied["planned"], applied["deleted"], applied["gone"]) == ("1", "1", "0")
    cli.refusal("verify", instance, code=6)

    lines = cli.refusal(*order, code=6)
    assert lines[0].startswith("rolled_back: ")
    assert "  rolled_back_by: admin" in lines
    assert "  reason: wrong list" in lines


def test_a_rollback_in_documents_for_programs(cli: Cli) -> None:
    event = str(uuid4())
    order = ("instantiate", TEMPLATE, "--event-id", event)
    first = cli.json(*order)
    day = first["composed_at"][:10]
    until = ("--until", "9999-01-01T05:30:00+05:30")
    selected = ("rollback", "--event", event, "--since", f"{day}T00:00:00Z", *until)
    plan = cli.json(*selected)
    assert (plan["instances"], plan["selectors"]["event_id"]) == (1, event)
    assert plan["selectors"]["composed_from"] == f"{day}T00:00:00Z"
    assert plan["selectors"]["composed_to"] == "9999-01-01T00:00:00Z"
    applied = cli.json(*selected, "--apply", "--release-keys", "--reason", "again, please")
    assert (applied["deleted"], applied["keys_released"]) == (1, 1)
    assert cli.json(*order)["outcome"] == "composed"
    assert cli.json("rollback", "--operation", str(uuid4()))["instances"] == 0


def test_a_rollback_says_why_and_names_something(service: Cli) -> None:
    nowhere = service.at("http://127.0.0.1:9")
    assert "say why, with --reason" in nowhere("rollback", "--actor", "x", "--apply", code=2).err
    assert service.refusal("rollback", code=2)[0].startswith("invalid_input: ")


def test_what_was_composed_since_the_plan_is_not_removed(cli: Cli) -> None:
    """The plan's ground moves between the two requests of one command."""
    actor = f"admin-{uuid4().hex[:8]}"
    order = ("instantiate", TEMPLATE, "--actor", actor)
    instance = cli.json(*order)["instance_collection_id"]

    def compose_before_apply(_method: str, path: str) -> None:
        if path == "/rollback/apply":
            cli(*order)

    removing = ("rollback", "--actor", actor, "--apply", "--reason", "x")
    with relayed(cli.url, compose_before_apply) as url:
        lines = cli.at(url).refusal(*removing, code=7)
    assert lines[0].startswith("plan_stale: ")
    assert cli("verify", instance).out == "The instance holds.\n"


def test_what_is_in_the_way_of_a_rollback_is_listed(service: Cli) -> None:
    plan = {
        "selectors": {"actor": "billing"},
        "instances": 2,
        "lineage_rows": 2,
        "log_rows": 2,
        "actors": ["billing"],
        "blockers": [
            {"instance_collection_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11", "reason": "edited"}
        ],
        "blockers_omitted": 7,
        "plan_digest": "9f86d081" * 8,
        "planned_at": "2026-03-02T09:00:00Z",
    }
    with relayed(
        service.url, lambda _method, _path: Answer(200, json.dumps(plan), "application/json")
    ) as url:
        said = service.at(url)("rollback", "--actor", "billing").out
    assert said.split("\n\n")[1].splitlines() == [
        "In the way:",
        "instance collection id                reason",
        "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11  edited",
        "and 7 more.",
    ]
