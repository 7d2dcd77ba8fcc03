"""`factory template …` and `factory seed`, against a service."""

import re
from pathlib import Path

import pytest

from app.content import reading
from tests.cli.conftest import Cli

SEEDS = Path(reading.__file__).parent / "seeds"

FIRST = """\
family: tpl:wf:{name}
title: Expense approval
description: From the receipt to the payment.
reason: first version
pieces:
  - role: request
    title: Handing in an expense
    body: |
      - [ ] The receipt shows date, amount and seller.
  - role: approval
    title: Approving an expense
    axes: {{audience: managers}}
    body: Approve within three working days.
"""

SECOND = """\
family: tpl:wf:{name}
supersedes: v1
reason: approvals by telephone are gone
edits:
  - op: replace
    position: 2
    piece:
      role: approval
      title: Approving an expense
      body: Approve in the tool.
  - op: insert
    position: 3
    piece: {{role: payment, title: Paying, body: Paid with the next run.}}
"""


def first(cli: Cli, name: str) -> Path:
    return cli.file(f"{name}-v1.yaml", FIRST.format(name=name))


def second(cli: Cli, name: str) -> Path:
    return cli.file(f"{name}-v2.yaml", SECOND.format(name=name))


def test_a_family_is_created_versioned_and_withdrawn(cli: Cli) -> None:
    created = cli("template", "create", "--from", first(cli, "expenses")).out
    assert re.fullmatch(
        r"tpl:wf:expenses/v1 is current\.\n"
        r"template collection id  [0-9a-f-]{36}\n"
        r"piece count             2\n"
        r"composition digest      [0-9a-f]{64}\n"
        r"warnings                -\n",
        created,
    )

    trial = cli("template", "version", "--from", second(cli, "expenses"), "--dry-run").out
    assert "template key        tpl:wf:expenses/v2\n" in trial
    assert trial.endswith("\nNothing was written.\n")
    assert len(cli.json("template", "list", "--family", "tpl:wf:expenses")) == 1

    made = cli("template", "version", "--from", second(cli, "expenses")).out
    assert made.startswith("tpl:wf:expenses/v2 is current.\n")
    table = [re.split(r"  +", line.strip()) for line in made.split("\n\n")[1].splitlines()]
    assert table == [
        ["change", "role", "before", "after"],
        ["replaced", "approval", "2. Approving an expense", "2. Approving an expense"],
        ["added", "payment", "-", "3. Paying"],
    ]

    listed = cli("template", "list", "--family", "tpl:wf:expenses").out
    assert [re.split(r"  +", line.strip()) for line in listed.splitlines()] == [
        ["template key", "status", "pieces", "title"],
        ["tpl:wf:expenses/v1", "superseded", "2", "Expense approval"],
        ["tpl:wf:expenses/v2", "current", "3", "Expense approval"],
    ]

    withdrawn = cli("template", "withdraw", "tpl:wf:expenses/v2", "--reason", "too early").out
    assert withdrawn == "tpl:wf:expenses/v2 is withdrawn.\nCurrent is tpl:wf:expenses/v1.\n"


def test_the_same_in_documents_for_programs(cli: Cli) -> None:
    created = cli.json("template", "create", "--from", first(cli, "json"))
    assert (created["template_key"], created["status"]) == ("tpl:wf:json/v1", "current")
    trial = cli.json("template", "version", "--from", second(cli, "json"), "--dry-run")
    assert (trial["outcome"], trial["would_be"]["version"]) == ("dry_run", "v2")
    made = cli.json("template", "version", "--from", second(cli, "json"))
    assert (made["outcome"], made["supersedes"]) == ("published", "tpl:wf:json/v1")
    shown = cli.json("template", "show", "tpl:wf:json")
    assert shown["template_key"] == "tpl:wf:json/v2"
    assert [piece["role"] for piece in shown["pieces"]] == ["request", "approval", "payment"]
    superseded = cli.json("template", "list", "--family", "tpl:wf:json", "--status", "superseded")
    assert [template["version"] for template in superseded] == ["v1"]
    withdrawn = cli.json("template", "withdraw", "tpl:wf:json@v2", "--reason", "too early")
    assert (withdrawn["status"], withdrawn["current"]) == ("withdrawn", "tpl:wf:json/v1")


def test_a_template_is_shown_with_its_pieces(cli: Cli) -> None:
    shown = cli("template", "show", "tpl:wf:onboarding/v1").out
    members, pieces = shown.split("\n\n")
    assert "template key            tpl:wf:onboarding/v1\n" in members
    assert "status                  superseded\n" in members
    assert "description             From the signed contract" in members
    header, *rows = pieces.splitlines()
    assert header.split() == ["#", "unit", "id", "role", "title"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4", "5"]
    assert rows[0].split()[2] == "welcome"
    same = cli("template", "show", "tpl:wf:onboarding@v1").out
    assert same == shown


def test_every_mistake_in_a_file_is_told_at_once_with_its_line(service: Cli) -> None:
    file = service.file(
        "wrong.yaml",
        "family: Onboarding\n"
        "title: No\n"
        "extra: 1\n"
        "reason: x\n"
        "pieces:\n"
        "  - role: Welcome\n"
        "    title: Hello\n",
    )
    done = service.at("http://127.0.0.1:9")("template", "create", "--from", file, code=2)
    assert done.out == ""
    assert done.err.splitlines() == [
        f"{file}:1: family must look like tpl:wf:onboarding: small letters, digits and hyphens",
        f"{file}:2: title must be text, but YAML reads 'No' as true or false: put it in quotes",
        f"{file}:3: extra is not known here",
        f"{file}:6: pieces[1].body is missing",
        f"{file}:6: pieces[1].role must be small letters, digits, _ or -, beginning with a letter,"
        " 63 at most",
    ]


def test_a_file_of_the_other_kind_names_the_other_command(service: Cli) -> None:
    nowhere = service.at("http://127.0.0.1:9")
    make, edit = first(service, "kinds"), second(service, "kinds")
    assert nowhere("template", "create", "--from", edit, code=2).err == (
        f"{edit} has `edits`: it makes a next version. Use `factory template version`.\n"
    )
    assert nowhere("template", "version", "--from", make, code=2).err == (
        f"{make} has `pieces`: it makes a new family. Use `factory template create`.\n"
    )


@pytest.mark.parametrize("command", ["create", "version"])
def test_a_file_that_cannot_be_read(service: Cli, command: str) -> None:
    done = service("template", command, "--from", "missing.yaml", code=2)
    assert done.err == "missing.yaml can't be read: No such file or directory\n"


def test_edits_for_another_version_than_the_current_one_are_not_sent(cli: Cli) -> None:
    cli("template", "create", "--from", first(cli, "moved"))
    cli("template", "version", "--from", second(cli, "moved"))

    done = cli("template", "version", "--from", second(cli, "moved"), code=7)

    assert done.err == (
        f"{cli.directory}/moved-v2.yaml counts its positions in v1, and the current version is"
        " tpl:wf:moved/v2: look at the edits again, and change `supersedes`.\n"
    )
    assert len(cli.json("template", "list", "--family", "tpl:wf:moved")) == 2


def test_what_is_there_already_is_a_conflict(cli: Cli) -> None:
    again = SEEDS / "onboarding-v1.yaml"
    assert cli.refusal("template", "create", "--from", again, code=6)[1] == (
        "  key: tpl:wf:onboarding"
    )


def test_a_version_with_instances_is_not_withdrawn(cli: Cli) -> None:
    cli("template", "create", "--from", first(cli, "used"))
    cli("instantiate", "tpl:wf:used")
    lines = cli.refusal("template", "withdraw", "tpl:wf:used", "--reason", "x", code=6)
    assert lines[0].startswith("template_in_use: ")
    assert lines[1:3] == ["  template_key: tpl:wf:used/v1", "  instances: 1"]


def test_authoring_at_a_closed_gate_says_which_command_opens_it(cli: Cli) -> None:
    cli("gate", "close", "template_authoring_enabled")
    lines = cli.refusal("template", "create", "--from", first(cli, "late"), code=5)
    assert lines[0].startswith("template_authoring_gate_closed: ")
    assert lines[-1] == (
        "  What helps: an operator opens it for a while:"
        " factory gate lease template_authoring_enabled --reason '…'"
    )
    cli("gate", "lease", "template_authoring_enabled", "--reason", "as it was said")
    cli("template", "create", "--from", first(cli, "late"))


def test_a_template_that_is_not_there(service: Cli) -> None:
    assert service.refusal("template", "show", "tpl:wf:nope", code=4)[1] == (
        "  template: tpl:wf:nope"
    )


def test_seeding_twice_changes_nothing(cli: Cli) -> None:
    before = cli.json("template", "list")
    for _ in range(2):
        assert cli("seed").out == (
            "tpl:wf:onboarding is there already.\ntpl:file:status-report is there already.\n"
        )
    assert cli.json("seed") == {
        "made": [],
        "there": ["tpl:wf:onboarding", "tpl:file:status-report"],
    }
    assert cli.json("template", "list") == before
    assert [seed["family"] for seed in before if seed["family"] == "tpl:wf:onboarding"] == [
        "tpl:wf:onboarding",
    ] * 3


def test_a_family_whose_last_version_was_withdrawn_is_left_as_it_is(cli: Cli) -> None:
    cli("template", "withdraw", "tpl:file:status-report/v3", "--reason", "not for us")
    assert cli.json("seed")["made"] == []
    statuses = [
        template["status"]
        for template in cli.json("template", "list", "--family", "tpl:file:status-report")
    ]
    assert statuses == ["superseded", "current", "withdrawn"]
