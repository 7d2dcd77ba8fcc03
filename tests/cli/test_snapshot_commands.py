"""`factory snapshot`, `factory snapshots` and `factory regression`, against a service."""

import re

from tests.cli.conftest import Cli


def test_snapshots_are_taken_listed_and_compared(cli: Cli) -> None:
    *table, _, last = cli("snapshot", "--reason", "before").out.splitlines()
    assert table[0].split() == ["surface", "row", "count", "digest"]
    assert any(line.startswith("iu_piece_collection ") for line in table)
    found = re.fullmatch(r"Snapshot ([0-9a-f-]{36})", last)
    assert found
    before = found[1]
    cli("instantiate", "tpl:wf:onboarding/v2")
    after = cli.json("snapshot", "--reason", "after")

    listed = cli.json("snapshots")
    assert [row["snapshot_id"] for row in listed[:2]] == [after["snapshot_id"], before]
    assert cli("snapshots").out.splitlines()[1].split()[0] == after["snapshot_id"]

    expected = (
        *("--expect", "iu_piece_collection=+1", "--expect", "iu_piece_membership=+5"),
        *("--expect", "iu_collection_template_instance_lineage=+1"),
        *("--expect", "iu_auto_instantiate_event_log=+1", "--expect", "event_outbox/iu=+1"),
    )
    matrix = cli("regression", before, after["snapshot_id"], *expected).out.splitlines()
    assert matrix[0].split() == [
        *("surface", "before", "after", "delta", "changed", "expected", "holds")
    ]
    (pieces,) = [line.split() for line in matrix if line.startswith("iu_piece_collection ")]
    assert pieces[-4:] == ["+1", "yes", "+1", "yes"]
    assert matrix[-1] == "Everything is as expected."
    assert cli.json("regression", *expected)["before"]["snapshot_id"] == before
    text = cli("regression", *expected, "--format", "markdown").out
    assert text.startswith("# Regression\n")
    assert text.endswith("\n**Everything is as expected.**\n")
    assert cli("regression", *expected, "--format", "html").out.startswith("<!doctype html>")


def test_a_regression_ends_with_what_it_found(cli: Cli) -> None:
    cli("snapshot", "--reason", "before")
    cli("instantiate", "tpl:wf:onboarding/v2")
    cli("snapshot", "--reason", "after")
    done = cli("regression", code=6)
    assert "iu_piece_collection" in done.out
    assert done.err == f"5 of {len(done.out.splitlines()) - 1} surfaces are not as expected.\n"
    assert cli.json("regression", code=6)["holds"] is False
    assert cli("regression", "--expect", "*=any").err == ""

    unknown = "00000000-0000-4000-8000-000000000000"
    assert cli.refusal("regression", unknown, code=4)[0].startswith("snapshot_not_found: ")
    assert (
        "neither snapshot has a surface x"
        in cli.refusal("regression", "--expect", "x=any", code=2)[1]
    )
