"""Each command of the catalogue leaves a run, and the run itself tells what it was about."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from pglast import ast

from app.commands import COMMANDS
from app.db.schema_files import SchemaFile, read_tree, root
from tests.support.sql_trees import statements, walk

FUNCTIONS = {file.name: file for file in read_tree(root()).objects if file.kind == "function"}

LEAVE_NO_RUN = {
    "plan_rollback": "it changes nothing",
    "check_integrity": "it changes nothing",
    "probe_boundary": "what it does is rolled back, and nothing may remain",
    "run_probes": "what it does is rolled back, and nothing may remain",
    "deliver_messages": "a message's attempt is its record",
    "seal_runs": "a segment is its record; otherwise there would always be something to seal",
    "record_refusals": "it is the record of others",
    "bootstrap_database": "done by scripts, before there is a record",
    "migrate_database": "done by scripts; the schema's revision is its record",
}

AUDIT_PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")

SELECTORS = {
    "p_of_actor",
    "p_operation_id",
    "p_event_id",
    "p_template",
    "p_composed_from",
    "p_composed_to",
}
"""What v_selection consists of."""

UNTOLD = {
    "p_key_sha256": "a secret's digest",
    "p_allowed_actors": "what the caller might do, and not what it did",
    "p_expected_revisions": "what the caller had seen",
    "p_planned_at": "what the caller had seen; the plan's digest is told",
    "p_rules_revision": "what the caller had seen",
    "p_idempotency_key": "the operation's id is made of it",
    "p_request_digest": "the operation has it",
    "p_requests": "the operation's items",
    "p_dry_run": "a dry run is recorded as one",
    "p_limit": "how much one call takes on",
    "p_after_id": "where one call goes on; the time is told",
    "p_runner": "a process of the service",
    "p_seconds": "how long a process keeps an item",
    "p_details": "the item has them",
    "p_description": "a remark",
    **dict.fromkeys(
        ("p_media_type", "p_title", "p_body", "p_axes"),
        "content of a unit, which is found by its id, and can't be changed unseen",
    ),
    **dict.fromkeys(
        ("p_pieces", "p_edits", "p_schema", "p_keeps_schema", "p_empty_data_errors"),
        "content of a template, which is found by its id, and can't be changed unseen",
    ),
    **dict.fromkeys(("p_schema_digests", "p_data_errors"), "what judging the items came to"),
    **dict.fromkeys(
        (
            "p_reasons",
            "p_templates",
            "p_suffixes",
            "p_actors",
            "p_emit_modes",
            "p_data",
            "p_principals",
            "p_request_ids",
        ),
        "what the routes make of the events: runs and refusals of their own",
    ),
    "p_outside": "the snapshot has it",
}
"""Arguments that a run need not tell, and why. Whatever else a function is given, its runs tell."""

TOLD_AS = {
    "fn_iu_api_key_create": {"p_actor_prefixes": "v_prefixes"},
    "fn_iu_event_route_put": {"p_route_id": "v_route_id"},
    "fn_iu_outbound_route_put": {"p_route_id": "v_route_id", "p_enabled": "v_enabled"},
    "fn_iu_retention_cleanup": {"p_plan_digest": "v_answer"},
    "fn_iu_rollback_by_actor": {"p_of_actor": "v_answer"},
}
"""Arguments that a run tells by a variable which was made of them."""


def calls(file: SchemaFile) -> Iterator[ast.FuncCall]:
    """The calls of functions in a function's body."""
    for statement in statements(file):
        for node in walk(statement):
            if isinstance(node, ast.FuncCall) and node.funcname:
                yield node


def called(node: ast.FuncCall) -> str:
    """What a call calls."""
    assert node.funcname
    return str(node.funcname[-1].sval)


@functools.cache
def calls_of(name: str) -> set[str]:
    """What a function calls."""
    return {called(call) for call in calls(FUNCTIONS[name])}


def reached(names: tuple[str, ...]) -> set[str]:
    """The functions, and all that they call."""
    found: set[str] = set()
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name in FUNCTIONS and name not in found:
            found.add(name)
            waiting += calls_of(name)
    return found


@pytest.mark.parametrize("code", COMMANDS)
def test_a_command_leaves_a_run_or_it_is_said_why_not(code: str) -> None:
    leaves_a_run = reached(COMMANDS[code].functions) & {"fn_iu_done", "fn_iu_compose_run"}
    assert leaves_a_run or code in LEAVE_NO_RUN


@pytest.mark.parametrize("code", LEAVE_NO_RUN)
def test_what_leaves_no_run_is_documented(code: str) -> None:
    assert f"`{code}`" in AUDIT_PAGE


def untold(file: SchemaFile) -> list[set[str]]:
    """Of each run that a function leaves, the arguments that it does not tell."""
    (definition,) = (s for s in statements(file) if isinstance(s, ast.CreateFunctionStmt))
    given = {str(each.name) for each in definition.parameters or ()}
    given = {name for name in given if name.startswith("p_")}
    found = []
    for call in calls(file):
        if called(call) == "fn_iu_done":
            names = {
                node.fields[0].sval
                for node in walk(call.args)
                if isinstance(node, ast.ColumnRef) and node.fields
            }
            if "v_selection" in names:
                names |= SELECTORS
            names |= {a for a, v in TOLD_AS.get(file.name, {}).items() if v in names}
            found.append(given - names - UNTOLD.keys())
    return found


@pytest.mark.parametrize("name", sorted({n for each in COMMANDS.values() for n in each.functions}))
def test_a_run_tells_what_its_command_was_given(name: str) -> None:
    assert [left for left in untold(FUNCTIONS[name]) if left] == []


def test_an_argument_that_is_not_told_is_seen() -> None:
    file = FUNCTIONS["fn_iu_gate_open"]
    sql = file.sql.replace("'reason', p_reason", "'reason', NULL")
    other = SchemaFile(file.path, file.kind, file.name, sql, file.checksum, file.grantees)
    assert untold(other) == [{"p_reason"}]
