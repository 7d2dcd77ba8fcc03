"""`factory piece …`, against a service."""

import hashlib
import re
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.cli.conftest import Cli, admin_key


@pytest.fixture
def body(cli: Cli) -> Path:
    """A file with a content that nobody has stored yet."""
    return cli.file("body.md", f"# Welcome\r\n\n{uuid4()}\n")


def members(said: str) -> dict[str, str]:
    return dict(re.split(r"  +", line, maxsplit=1) for line in said.splitlines() if "  " in line)


def test_a_piece_is_stored_shown_revised_used_and_retired(cli: Cli, body: Path) -> None:
    made = members(cli("piece", "create", "--title", "Welcome", "--from", body).out)
    content = b"text/markdown\nWelcome\n" + body.read_bytes()
    assert made["content digest"] == hashlib.sha256(content).hexdigest(), "byte for byte"
    assert made["life"] == "active"
    unit = made["unit id"]

    known = cli("piece", "create", "--title", "Welcome", "--from", body, "--draft").out
    assert known.startswith("This content is there already:\n")
    assert members(known)["unit id"] == unit
    assert members(known)["warnings"] == "life_differs"

    shown = cli("piece", "show", unit).out
    assert "media type             text/markdown\n" in shown
    assert shown.rstrip("\n").endswith(body.read_text().rstrip("\n"))

    revised = members(cli("piece", "revise", unit, "--title", "Welcome!", "--reason", "warmer").out)
    assert revised["title"] == "Welcome!"
    assert members(cli("piece", "show", unit).out)["life"] == "superseded"

    assert cli("piece", "where-used", unit).out == "Nothing.\n"
    retired = cli("piece", "life", revised["unit id"], "retired", "--reason", "out of date").out
    assert members(retired)["life"] == "retired"


def test_the_same_in_documents_for_programs(cli: Cli, body: Path) -> None:
    made = cli.json(
        "piece", "create", "--title", "A draft", "--from", body, "--media-type", "text/plain",
        "--axis", "audience=everybody", "--axis", "note=a=b", "--draft",
    )  # fmt: skip
    assert (made["life"], made["media_type"]) == ("draft", "text/plain")
    assert made["axes"] == {"audience": "everybody", "note": "a=b"}
    unit = made["unit_id"]
    active = cli.json("piece", "life", unit, "active", "--reason", "read by two")
    assert active["life"] == "active"
    assert cli.json("piece", "show", unit)["body"] == body.read_bytes().decode()
    other = cli.file("other.md", f"{uuid4()}")
    revised = cli.json("piece", "revise", unit, "--from", other, "--reason", "shorter")
    assert (revised["supersedes_unit_id"], revised["title"]) == (unit, "A draft")
    assert cli.json("piece", "where-used", unit) == []


def test_pieces_are_listed_by_life_and_title(cli: Cli) -> None:
    listed = cli("piece", "list", "--life", "active", "--title", "welcome").out.splitlines()
    assert listed[0].split() == ["unit", "id", "life", "title"]
    assert re.fullmatch(r"[0-9a-f-]{36}  active  Welcome, and how .*", listed[-1].rstrip())
    documents = cli.json("piece", "list")
    assert len(documents) >= 13
    assert "body" not in documents[0]
    assert cli("piece", "list", "--title", "no such title").out == "Nothing.\n"


def test_where_a_piece_is_used(cli: Cli) -> None:
    (piece, *_) = cli.json("template", "show", "tpl:wf:onboarding/v2")["pieces"]
    used = cli("piece", "where-used", piece["unit_id"]).out.splitlines()
    assert used[0].split() == ["collection", "key", "status", "position", "role"]
    assert [re.split(r"  +", line.strip()) for line in used[1:]] == [
        ["tpl:wf:onboarding/v1", "superseded", "1", "welcome"],
        ["tpl:wf:onboarding/v2", "superseded", "1", "welcome"],
    ]
    (piece, *_) = cli.json("template", "show", "tpl:wf:onboarding/v3")["pieces"]
    lines = cli.refusal("piece", "life", piece["unit_id"], "retired", "--reason", "x", code=6)
    assert lines[0].startswith("unit_in_use: ")
    assert "tpl:wf:onboarding/v3" in lines[1]


def test_a_list_longer_than_a_page_is_whole(cli: Cli) -> None:
    before = len(cli.json("piece", "list"))
    with httpx.Client(
        base_url=cli.url, headers={"Authorization": f"Bearer {admin_key(cli)}"}, trust_env=False
    ) as client:
        for number in range(51):
            order = {"media_type": "text/plain", "title": f"Filler {number}", "body": f"{uuid4()}"}
            client.post("/pieces", json=order).raise_for_status()
    units = [piece["unit_id"] for piece in cli.json("piece", "list")]
    assert len(units) == len(set(units)) == before + 51


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "--title", "x", "--from", "missing.md"), "missing.md can't be read: No such"),
        (("create", "--title", "x", "--from", "latin.md"), "latin.md is not UTF-8, at byte 1"),
        (("create", "--title", "x", "--from", "."), ". can't be read: Is a directory"),
        (("create", "--title", "x", "--from", "b.md", "--axis", "x"), "--axis x should be NAME="),
        (
            ("create", "--title", "x", "--from", "b.md", "--axis", "x=1", "--axis", "x=2"),
            "--axis x stands twice",
        ),
        (("life", "x", "superseded", "--reason", "x"), "'superseded' is not one of"),
    ],
)
def test_what_the_command_itself_can_see_is_not_sent(
    service: Cli, arguments: tuple[str, ...], said: str
) -> None:
    (service.directory / "latin.md").write_bytes(b"b\xfcro")
    service.file("b.md", "x")
    done = service.at("http://127.0.0.1:9")("piece", *arguments, code=2)
    assert said in done.usage_error


def test_a_piece_that_is_not_there_and_one_that_cannot_be(service: Cli) -> None:
    unit = str(uuid4())
    assert service.refusal("piece", "show", unit, code=4)[1] == f"  units: {unit}"
    assert service.refusal("piece", "show", "nope", code=2)[1] == (
        "  /unit_id: should be a UUID: 8-4-4-4-12 hex digits"
    )


def test_a_piece_is_given_other_axes(cli: Cli) -> None:
    cli("gate", "lease", "envelope_refresh_enabled", "--reason", "axes")
    body = cli.file("axes.md", "Of many facets.\n")
    unit = cli.json("piece", "create", "--title", "Facets", "--from", body)["unit_id"]
    said = cli("piece", "axes", unit, "--axis", "audience=all", "--reason", "a facet").out
    assert re.search(r'^axes +\{"audience": "all"\}$', said, re.MULTILINE)
    assert re.search(r"^changed +yes$", said, re.MULTILINE)
    taken = cli.json("piece", "axes", unit, "--reason", "none is right")
    assert (taken["axes"], taken["changed"], taken["compositions_refreshed"]) == ({}, True, 0)
