"""The catalogue of commands, and whatever can change state: neither has what the other lacks.

Each comparison is shown to see what is missing on either side.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest
import typer
from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from pglast import ast as sql_ast
from typer.core import TyperGroup

from app.cli.program import cli
from app.commands import COMMANDS, RequireCommand, elevated_scope
from app.commands.authoring import AUTHORING
from app.commands.composing import COMPOSING
from app.commands.delivery import DELIVERY
from app.commands.events import EVENTS
from app.commands.governing import GOVERNING
from app.db.schema_files import SchemaFile, read_tree, root
from app.http.route import FactoryRoute
from app.main import ROUTERS
from app.refusals.gates import GATE_KEYS
from app.security import RequireScope, Scope, require
from tests.support.sql_trees import statements, walk
from tools.commands import DOCUMENT, SCRIPT, document, script

TREE = read_tree(root())
ROUTES = [route for router in ROUTERS for route in router.routes]

READING_OPERATIONS = {"simulate_event_route", "preview_template"}
"""They take a document, and so are no GET. They call no SQL function that writes."""

READING_COMMANDS = {
    "replay",  # on a database of its own, which is gone afterwards
    "snapshots",
    "regression",
    "check",
    "operation list",
    "operation show",
    "operation watch",
    "gate list",
    "template list",
    "template show",
    "piece list",
    "piece show",
    "piece where-used",
    "key list",
    "audit list",
    "audit verify",
    "retention policies",
    "evidence get",
    "evidence verify",
}
"""Commands of `factory` that change nothing."""


def test_what_is_made_from_the_catalogue_is_not_stale() -> None:
    assert SCRIPT.read_text(encoding="utf-8") == script(), "run `make docs`"
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `make docs`"


# ----------------------------------------------------------------------------------- entries


@pytest.mark.parametrize("code", COMMANDS)
def test_an_entry_names_what_there_is(code: str) -> None:
    command = COMMANDS[code]
    assert set(command.gates) <= set(GATE_KEYS)
    assert command.reversed_by is None or command.reversed_by in COMMANDS
    assert not (command.leaves_nothing and command.reversed_by)
    assert command.http or command.command_line
    if command.http:
        assert command.needs in {*Scope, "signature"}
    if command.elevated:
        assert command.scope is not None
        assert command.elevated.scope.reaches(command.scope)
        assert command.elevated.scope is not command.scope


def test_no_code_is_catalogued_twice() -> None:
    groups = (COMPOSING, AUTHORING, EVENTS, DELIVERY, GOVERNING)
    assert [command.code for group in groups for command in group] == list(COMMANDS)


def test_what_asks_for_no_scope_or_no_more_is_told_apart() -> None:
    with pytest.raises(ValueError, match="receive_webhook asks for no scope"):
        RequireCommand("receive_webhook")
    with pytest.raises(ValueError, match="create_piece has no form that asks for more"):
        elevated_scope("create_piece")
    with pytest.raises(KeyError):
        RequireCommand("no_such_command")


# --------------------------------------------------------------------------- HTTP operations


def asked_by(dependant: Dependant) -> Iterator[RequireScope]:
    """What an operation asks of its caller."""
    if isinstance(dependant.call, RequireScope):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from asked_by(inner)


def complaints_of_routes(routes: Iterable[Any]) -> list[str]:
    """What is wrong between the operations of HTTP and the catalogue."""
    found: list[str] = []
    left = {code for code, command in COMMANDS.items() if command.http}
    for route in routes:
        assert isinstance(route, FactoryRoute)
        name = str(route.operation_id)
        assert route.methods
        (method,) = route.methods
        command = COMMANDS.get(name)
        left.discard(name)
        if command is None:
            if method != "GET" and name not in READING_OPERATIONS:
                found.append(f"{name} is in no catalogue")
        elif command.http != f"{method} {route.path.replace(':path}', '}')}":
            found.append(f"{name} is not at {command.http}")
        elif command.scope and [*asked_by(route.dependant)] != [
            each
            for each in asked_by(route.dependant)
            if isinstance(each, RequireCommand) and each.command is command
        ]:
            found.append(f"{name} asks for a scope beside the catalogue")
    return found + [f"{code} is no operation" for code in sorted(left)]


def test_operations_that_may_change_state_are_those_of_the_catalogue() -> None:
    assert complaints_of_routes(ROUTES) == []


async def purge_everything() -> None:
    """An operation that is in no catalogue."""


async def set_gate() -> None:
    """An operation that is in the catalogue."""


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "complaint"),
    [
        ("POST", "/purge", purge_everything, "purge_everything is in no catalogue"),
        ("DELETE", "/gates/{key}", set_gate, "set_gate is not at PUT /gates/{key}"),
        ("PUT", "/gates/{key}", set_gate, "set_gate asks for a scope beside the catalogue"),
    ],
)
def test_an_operation_beside_the_catalogue_is_seen(
    method: str, path: str, endpoint: Callable[..., Any], complaint: str
) -> None:
    router = APIRouter(route_class=FactoryRoute)
    router.add_api_route(
        path, endpoint, methods=[method], dependencies=[Depends(require(Scope.OPERATOR))]
    )
    assert complaints_of_routes([*ROUTES, *router.routes]) == [complaint]


def test_a_command_without_its_operation_is_seen() -> None:
    routes = [route for route in ROUTES if getattr(route, "operation_id", None) != "set_gate"]
    assert complaints_of_routes(routes) == ["set_gate is no operation"]


# ------------------------------------------------------------------------------ command line


def leaves(group: Any, *above: str) -> Iterator[tuple[str, Any]]:
    """Every command of the program, and the function behind it."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from leaves(command, *above, name)
        else:
            yield " ".join((*above, name)), inspect.unwrap(command.callback)


PROGRAM = dict(leaves(typer.main.get_command(cli)))


def complaints_of_program(names: Iterable[str]) -> list[str]:
    """What is wrong between the commands of `factory` and the catalogue."""
    given = {name for command in COMMANDS.values() for name in command.command_line}
    here = set(names)
    return [
        *(f"{name} is in no catalogue" for name in sorted(here - given - READING_COMMANDS)),
        *(f"{name} is no command of factory" for name in sorted(given - here)),
        *(f"{name} only reads, it was said" for name in sorted(given & READING_COMMANDS)),
        *(f"{name} is no command any more" for name in sorted(READING_COMMANDS - here)),
    ]


def test_commands_of_the_program_are_in_the_catalogue() -> None:
    assert complaints_of_program(PROGRAM) == []


def test_a_command_of_the_program_beside_the_catalogue_is_seen() -> None:
    assert complaints_of_program([*PROGRAM, "purge"]) == ["purge is in no catalogue"]
    rest = PROGRAM.keys() - {"gate lease", "gate list"}
    assert complaints_of_program(rest) == [
        "gate lease is no command of factory",
        "gate list is no command any more",
    ]


def sent_by(function: Any) -> set[str]:
    """The words for writing in a command's function, and in those of its module that it calls."""
    tree = ast.parse(inspect.getsource(sys.modules[function.__module__]))
    bodies = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    seen: set[str] = set()
    found: set[str] = set()
    waiting = [function.__name__]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in bodies:
            continue
        seen.add(name)
        for node in ast.walk(bodies[name]):
            match node:
                case ast.Constant(value=("POST" | "PUT" | "DELETE") as method):
                    found.add(method)
                case ast.Name(id=called):
                    waiting.append(called)
    return found


@pytest.mark.parametrize("name", sorted(READING_COMMANDS))
def test_a_command_that_reads_sends_nothing(name: str) -> None:
    assert sent_by(PROGRAM[name]) == set()


def test_a_command_that_writes_is_seen_to_send() -> None:
    assert sent_by(PROGRAM["gate open"]) == {"PUT"}
    assert sent_by(PROGRAM["operation cancel"]) == {"POST"}


# ----------------------------------------------------------------------------- SQL functions

_WRITING = (sql_ast.InsertStmt, sql_ast.UpdateStmt, sql_ast.DeleteStmt, sql_ast.MergeStmt)


def writing(files: Iterable[SchemaFile]) -> set[str]:
    """The functions that the service may call and that write, themselves or by what they call."""
    functions = [file for file in files if file.kind == "function"]
    nodes = {file.name: [n for s in statements(file) for n in walk(s)] for file in functions}
    writes = {
        name for name, below in nodes.items() if any(isinstance(node, _WRITING) for node in below)
    }
    calls = {
        name: {n.funcname[-1].sval for n in below if isinstance(n, sql_ast.FuncCall) and n.funcname}
        for name, below in nodes.items()
    }
    while more := {name for name, called in calls.items() if called & writes} - writes:
        writes |= more
    return {file.name for file in functions if "iu_app" in file.grantees} & writes


def catalogued_functions() -> set[str]:
    """The functions that the catalogue names."""
    return {name for command in COMMANDS.values() for name in command.functions}


def test_functions_that_write_are_those_of_the_catalogue() -> None:
    assert writing(TREE.objects) == catalogued_functions()


@pytest.mark.parametrize(
    "body",
    ["DELETE FROM iu_core.iu_api_key", "SELECT iu_core.fn_iu_gate_open('', '', '', '', NULL)"],
)
@pytest.mark.parametrize("grantees", [("iu_app",), ()])
def test_a_function_that_writes_beside_the_catalogue_is_seen(
    body: str, grantees: tuple[str, ...]
) -> None:
    sql = f"CREATE FUNCTION iu_core.f() RETURNS void LANGUAGE sql AS $$ {body} $$"
    more = SchemaFile("functions/f.sql", "function", "f", sql, "", grantees)
    seen = {"f"} if grantees else set()
    assert writing([*TREE.objects, more]) - catalogued_functions() == seen


def recorded_by(file: SchemaFile) -> set[str]:
    """The commands that a function's text hands to the command record, or to what refuses."""
    takers = "|".join(each.name for each in TREE.objects if "p_command text" in each.sql)
    given = re.findall(rf"\b(?:{takers})\(\s*'(\w+)'", file.sql)
    chosen = re.findall(r"v_command +(?:constant )?text :=(.*?);", file.sql, re.DOTALL)
    chosen += re.findall(r"CASE WHEN(.*?)END AS command", file.sql, re.DOTALL)
    for expression in chosen:
        given += re.findall(r"(?:THEN|ELSE|^)\s*'(\w+)'", expression)
    return set(given)


@pytest.mark.parametrize("file", TREE.objects, ids=lambda file: file.name)
def test_the_record_calls_commands_as_the_catalogue_does(file: SchemaFile) -> None:
    assert recorded_by(file) <= COMMANDS.keys()


def test_what_the_record_calls_commands_is_read() -> None:
    by_name = {file.name: recorded_by(file) for file in TREE.objects}
    assert by_name["fn_iu_event_command"] == {"post_events", "receive_webhook", "consume_events"}
    assert by_name["fn_iu_outbound_route_put"] == {"create_outbound_route", "put_outbound_route"}
    assert by_name["fn_iu_gate_close"] == {"close_all_gates", "set_gate"}
    assert by_name["fn_iu_rollback_plan"] == {"plan_rollback"}
    assert by_name["fn_iu_auto_instantiate_atomic"] == {"instantiate_bulk"}


# ------------------------------------------------------------------------------------- runs

WITHOUT_A_RUN = {
    "deliver_messages",  # an attempt is its own row
    "seal_runs",  # the segment says who sealed it
    "record_refusals",  # it writes what others were refused
}
"""Commands that change something and leave no run (docs/decisions/0025)."""


def reached_from(name: str, files: Mapping[str, SchemaFile]) -> set[str]:
    """The functions that a function calls, itself or by what it calls."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        found = set(re.findall(r"\biu_core\.(fn_iu_\w+)\(", files[waiting.pop()].sql)) - seen
        seen |= found
        waiting += found
    return seen


@pytest.mark.parametrize("code", COMMANDS)
def test_what_a_command_did_is_recorded(code: str) -> None:
    command = COMMANDS[code]
    files = {file.name: file for file in TREE.objects if file.kind == "function"}
    reached = {name for function in command.functions for name in reached_from(function, files)}
    leaves_a_run = bool(command.functions) and not command.leaves_nothing
    records = bool(reached & {"fn_iu_done", "fn_iu_compose_run"})
    if leaves_a_run:
        assert records is (code not in WITHOUT_A_RUN)
