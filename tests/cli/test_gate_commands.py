"""`factory gate …`, against a service."""

import re

from app.refusals.gates import GATE_KEYS
from tests.cli.conftest import Cli

COMPOSER = "iu_core.composer_enabled"


def test_the_gates_are_listed_with_what_an_operator_looks_for(cli: Cli) -> None:
    cli("gate", "lease", "retention_enabled", "--minutes", "5", "--reason", "a look")

    header, *lines = cli("gate", "list").out.splitlines()

    assert header.split() == ["gate", "state", "until", "reason"]
    rows = {line.split()[0]: line.split(None, 3)[1:] for line in lines}
    assert rows.keys() == set(GATE_KEYS)
    assert rows[COMPOSER] == ["open", "-", "the tests"]
    state, day, rest = rows["iu_core.retention_enabled"]
    assert state == "leased"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ  a look", rest)
    assert len({line.index(rows[line.split()[0]][0], 30) for line in lines}) == 1, "columns align"

    documents = cli.json("gate", "list")
    assert [gate["gate"] for gate in documents] == sorted(GATE_KEYS)
    assert documents[0].keys() >= {"state", "refusal", "live_leases", "changed_by", "sealed"}


def test_a_gate_is_opened_and_closed(cli: Cli) -> None:
    cli("gate", "close", "--all")
    assert cli("gate", "open", "composer_enabled", "--reason", "again").out == (
        "iu_core.composer_enabled is open until it is closed.\n"
    )
    assert cli("gate", "close", COMPOSER).out == "iu_core.composer_enabled is closed.\n"

    opened = cli.json("gate", "open", COMPOSER, "--reason", "again")
    assert (opened["gate"], opened["state"], opened["changed"]) == (COMPOSER, "open", True)
    closed = cli.json("gate", "close", COMPOSER, "--reason", "enough")
    assert (closed["gate"], closed["state"], closed["draining"]) == (COMPOSER, "closed", False)


def test_a_lease_says_until_when_and_is_ended_by_closing(cli: Cli) -> None:
    leasing = ("gate", "lease", "retention_enabled", "--reason", "clean")
    said = cli(*leasing).out
    assert re.fullmatch(
        r"iu_core\.retention_enabled is open until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
        r" \(lease [0-9a-f-]{36}\)\.\n",
        said,
    )
    lease = cli.json(*leasing, "--minutes", "2", "--actor", "ops")
    assert (lease["for_actor"], lease["uses_limit"], lease["state"]) == ("ops", None, "live")
    limited = ("gate", "lease", COMPOSER, "--reason", "three", "--uses", "3")
    assert cli.json(*limited)["uses_limit"] == 3

    closed = cli("gate", "close", "retention_enabled").out
    assert re.fullmatch(r"iu_core\.retention_enabled is closed, \d+ leases ended\.\n", closed)
    assert cli("gate", "close", "retention_enabled").out == (
        "iu_core.retention_enabled is closed.\n"
    )


def test_all_gates_are_closed_at_once(cli: Cli) -> None:
    cli("gate", "lease", "delivery_enabled", "--reason", "a look")

    lines = cli("gate", "close", "--all", "--reason", "over").out.splitlines()

    assert len(lines) == 11
    assert "iu_core.delivery_enabled is closed, 1 lease ended." in lines
    document = cli.json("gate", "close", "--all")
    assert {gate["state"] for gate in document["gates"]} == {"closed"}
    assert {gate["state"] for gate in cli.json("gate", "list")} == {"closed"}


def test_a_sealed_gate_opens_only_after_it_was_unsealed(cli: Cli) -> None:
    key = "vector_sync_enabled"
    assert cli("gate", "seal", key, "--reason", "audit").out == (
        "iu_core.vector_sync_enabled is closed, sealed.\n"
    )
    assert cli("gate", "close", key, "--seal").out == (
        "iu_core.vector_sync_enabled is closed, sealed.\n"
    )
    assert "closed, sealed" in cli("gate", "list").out

    assert cli.refusal("gate", "open", key, "--reason", "no", code=5) == [
        "gate_sealed: The gate was sealed: it takes no opening, no lease and no window until an"
        " admin unseals it.",
        "  gate: iu_core.vector_sync_enabled",
        "  What helps: an admin unseals it:"
        " factory gate seal vector_sync_enabled --undo --reason '…'",
    ]
    assert cli("gate", "close", key).out == "iu_core.vector_sync_enabled is closed, sealed.\n"

    assert cli("gate", "seal", key, "--undo", "--reason", "audited").out == (
        "iu_core.vector_sync_enabled is closed, no longer sealed.\n"
    )
    assert cli.json("gate", "seal", key, "--reason", "audit")["sealed"] is True
    assert cli.json("gate", "seal", key, "--undo", "--reason", "done")["sealed"] is False


def test_a_gate_that_is_not_there_is_said_with_its_key(cli: Cli) -> None:
    assert cli.refusal("gate", "open", "nope", "--reason", "x", code=4) == [
        "gate_not_found: No gate has this key.",
        "  gate: iu_core.nope",
        "  What helps: see what there is: factory gate list",
    ]


def test_a_key_is_one_segment_of_the_path_whatever_is_in_it(cli: Cli) -> None:
    for key in ("../api-keys", "a/b?c#d", "%2e%2e", "ü"):
        assert cli.json("gate", "open", key, "--reason", "x", code=4)["code"] == "gate_not_found"


def test_a_scope_that_does_not_reach_is_the_callers_fault(cli: Cli, producer: Cli) -> None:
    assert producer.refusal("gate", "open", COMPOSER, "--reason", "x", code=3) == [
        "forbidden: This needs the scope operator, and the key has producer.",
        "  required_scope: operator",
        "  What helps: Use a key with the scope that `required_scope` names, or one above it.",
    ]


def test_what_the_command_itself_can_see_is_not_sent(service: Cli) -> None:
    nowhere = service.at("http://127.0.0.1:9")
    for arguments, said in (
        (("gate", "close"), "name one gate, or say --all"),
        (("gate", "close", COMPOSER, "--all"), "name one gate, or say --all"),
        (("gate", "open", COMPOSER), "Missing option '--reason'"),
        (("gate", "lease", COMPOSER, "--reason", "x", "--minutes", "1441"), "'--minutes'"),
        (("replay", "9x"), "Invalid value for 'release': '9x' is not one of '25000x', '50000x'."),
    ):
        done = nowhere(*arguments, code=2)
        assert said in done.usage_error
        assert done.out == ""
