"""The statements inside functions and views, as trees of PostgreSQL's own parser."""

import re
from collections.abc import Iterator
from typing import Any

import pglast
from pglast import ast

from app.db.schema_files import SchemaFile


def parse(sql: str) -> list[ast.Node]:
    """The statements of a text of SQL."""
    return [raw.stmt for raw in pglast.parse_sql(sql) if raw.stmt is not None]


def option(function: ast.CreateFunctionStmt, name: str) -> object:
    """What the function's definition says after the word `name`; None where it says nothing."""
    return next((option.arg for option in function.options or () if option.defname == name), None)


def statements(file: SchemaFile) -> list[ast.Node]:
    """What the file makes, and each statement (of PL/pgSQL also each expression) in its body."""
    found = parse(file.sql)
    for function in found[:]:
        if isinstance(function, ast.CreateFunctionStmt):
            match option(function, "language"), option(function, "as"):
                case ast.String(sval="sql"), (ast.String(sval=str(body)),):
                    found += parse(body)
                case ast.String(sval="plpgsql"), _:
                    found += _of_plpgsql(file.sql)
                case language, _:
                    raise AssertionError(f"{file.path}: {language} can't be read")
    return found


def walk(node: object) -> Iterator[ast.Node]:
    """The node and everything below it."""
    if isinstance(node, tuple | list):
        for each in node:
            yield from walk(each)
    elif isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from walk(getattr(node, name))


def _of_plpgsql(sql: str) -> list[ast.Node]:
    # The parser looks types up, and has no catalogue: it takes any of the schema public's for a
    # record, and none for an array of them.
    known = re.sub(r"\biu_core\.\w+\[\]", "text[]", sql).replace("iu_core.", "public.")
    return [node for query in _queries(pglast.parse_plpgsql(known)) for node in parse(query)]


def _queries(tree: Any) -> Iterator[str]:
    if isinstance(tree, list):
        for each in tree:
            yield from _queries(each)
    elif isinstance(tree, dict):
        for name, value in tree.items():
            if name == "PLpgSQL_expr":
                yield _as_statement(value["query"], value["parseMode"])
            else:
                yield from _queries(value)


def _as_statement(query: str, mode: int) -> str:
    """RawParseMode: 0 is a statement, 2 an expression, 3 and above `variable := expression`."""
    if mode == 0:
        return query
    return "SELECT " + (query if mode == 2 else query.partition(":=")[2])
