"""The placeholders of pieces, looked at when authors send them: which there are, and what is wrong.

What is published can't be changed any more, so a piece that could never be filled, or a version
whose pieces ask for what its parameters do not have, is refused while it can be put right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.db.rows import Row
from app.documents.liquid import FlawedError, parse_piece
from app.documents.models import MARKDOWN
from app.documents.variables import Knowledge, SchemaTooComplexError, Variable
from app.json_schema import compile_schema
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField


@dataclass(frozen=True, slots=True)
class Placeholders:
    """What a version's pieces ask for: the paths of all, and of those that data may leave out."""

    variables: list[str]
    may_be_missing: list[str]


def variables_of(media_type: str, body: str) -> list[str]:
    """The paths that a piece asks for, sorted: `person.name`. None in what can't be filled."""
    try:
        return _names(_variables(media_type, body))
    except FlawedError:
        return []


def refuse_flaws(media_type: str, body: str) -> None:
    """Refuse with `invalid_input` a piece that can't be filled whatever the data."""
    try:
        _variables(media_type, body)
    except FlawedError as error:
        raise invalid_input(list(_flaws(error, "/body", ""))) from error


def checked(pieces: Sequence[Row], schema: Any) -> Placeholders:
    """What the pieces of a version ask for of its parameters.

    `pieces` are rows in order, with their bodies; `schema` is that of the parameters, None where
    there are none. Refuses with `invalid_input` pieces that can't be filled, and placeholders that
    the schema does not know.
    """
    knowledge = Knowledge(None if schema is None else compile_schema(schema))
    errors: list[InvalidField] = []
    variables: list[Variable] = []
    missing: list[Variable] = []
    for piece in pieces:
        place = f"piece {piece['position']} ({piece['role']}), "
        try:
            found = _variables(piece["media_type"], piece["body"])
            unknown = knowledge.unknown(found)
            missing += knowledge.may_be_missing(found)
        except FlawedError as error:
            errors += _flaws(error, "/pieces", place)
            continue
        except SchemaTooComplexError as error:
            raise invalid_input([_field("/parameters", "limit", str(error))]) from error
        variables += found
        errors += (
            _field(
                "/parameters",
                "unknown_variable",
                f"{place}line {variable.line}: the parameters know no {variable.name}",
            )
            for variable in unknown
        )
    if errors:
        raise invalid_input(errors)
    return Placeholders(_names(variables), _names(missing))


def _variables(media_type: str, body: str) -> Sequence[Variable]:
    return parse_piece(body).variables if media_type == MARKDOWN else ()


def _names(variables: Iterable[Variable]) -> list[str]:
    return sorted({variable.name for variable in variables})


def _flaws(error: FlawedError, pointer: str, place: str) -> Iterable[InvalidField]:
    return (
        _field(pointer, flaw.rule, f"{place}line {flaw.line}, column {flaw.column}: {flaw.detail}")
        for flaw in error.flaws
    )


def _field(pointer: str, rule: str, detail: str) -> InvalidField:
    return InvalidField(location="body", pointer=pointer, rule=rule, detail=detail)
