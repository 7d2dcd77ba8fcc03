"""Comparing a database with its manifest in tests: what is found, and what is expected."""

import re
from typing import Any

import asyncpg

KINDS = ("table", "view", "function", "trigger", "config", "event_type", "route")
DIGEST = re.compile(r"[0-9a-f]{64}")
GATE_READER = "iu_core.fn_iu_gate_admission(text, text, timestamp with time zone)"
LEASES = "iu_core.iu_gate_lease"
CHECK = "iu_core.fn_iu_conformance(jsonb)"

Finding = tuple[str, str, str, str | None, str | None, str | None]

Change = tuple[str, list[Finding]]
"""Statements that change a database, and what is found then, all of one kind."""


async def compare(
    connection: asyncpg.Connection, manifest: dict[str, Any] | None
) -> dict[str, Any]:
    """The whole answer."""
    report: dict[str, Any] = await connection.fetchval(
        "SELECT iu_core.fn_iu_conformance($1)", manifest
    )
    return report


def findings(report: dict[str, Any]) -> list[Finding]:
    """What was found, with a word for each digest."""
    return [
        (
            found["kind"],
            found["name"],
            found["finding"],
            found["facet"],
            found["expected"] and DIGEST.sub("sha256", found["expected"]),
            found["actual"] and DIGEST.sub("sha256", found["actual"]),
        )
        for found in report["findings"]
    ]


def kind(report: dict[str, Any], name: str) -> dict[str, Any]:
    """The line of one kind."""
    (line,) = (each for each in report["kinds"] if each["kind"] == name)
    found: dict[str, Any] = line
    return found


def changed(kind: str, name: str, facet: str, before: str | None, after: str | None) -> Finding:
    """A facet of an object is another."""
    return (kind, name, "changed", facet, before, after)


def unexpected(kind: str, name: str) -> Finding:
    """There is an object more."""
    return (kind, name, "unexpected", None, None, None)


def missing(kind: str, name: str) -> Finding:
    """An object is gone."""
    return (kind, name, "missing", None, None, None)


def here(statement: str) -> str:
    """A statement that names the database, as %I."""
    return f"DO $do$ BEGIN EXECUTE format($$ {statement} $$, current_database()); END $do$"


async def assert_is_found(
    superuser: asyncpg.Connection, manifest: dict[str, Any], change: Change
) -> None:
    """Make the change, and look that what it makes different is found, and nothing else."""
    statements, expected = change
    await superuser.execute(statements)
    everything = "DELETE, INSERT, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE"
    if manifest["postgresql"] >= 17:
        everything = everything.replace("REFERENCES", "MAINTAIN, REFERENCES")
    report = await compare(superuser, manifest)
    assert findings(report) == [
        (*of, *(everything if text == "ALL" else text for text in (before, after)))
        for *of, before, after in expected
    ]
    assert (report["verdict"], report["reason"], report["truncated"]) == ("differs", None, False)
    line = kind(report, expected[0][0])
    assert line["passes"] is False
    of = {(finding, name) for _, name, finding, *_ in expected}
    for finding in ("missing", "unexpected", "changed"):
        assert line[finding] == sum(one == finding for one, _ in of)
    others = [each for each in report["kinds"] if each is not line]
    assert all(each["passes"] for each in others)
