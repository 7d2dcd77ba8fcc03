"""The exceptions of the factory, and the catalogue of refusals.

    FactoryError
    ├── Refusal         answered to the client: a code of CATALOGUE, and the members it names
    ├── ContractError   two parts of the factory disagree: a defect, answered as `internal`
    ├── StartupError    the program can't start; its text is one line that says what to do
    ├── FlawedSchemaError      (app.json_schema) what an operator sent is no schema that is taken
    └── FlawedExpressionError  (app.expressions) nor is this an expression

Only `app.problems` turns a Refusal into a response. What the database answers, or raises, becomes
a Refusal in `app.refusals.from_database` and nowhere else.

`python -m app.errors docs/errors.md` writes the catalogue for people.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from app.refusals import CATALOGUE
from app.refusals.document import catalogue_as_markdown
from app.refusals.spec import Kind, Member, RefusalSpec

__all__ = [
    "CATALOGUE",
    "ContractError",
    "FactoryError",
    "Kind",
    "Member",
    "Refusal",
    "RefusalSpec",
    "StartupError",
]


class FactoryError(Exception):
    """Everything that the factory raises by itself."""


class ContractError(FactoryError):
    """Two parts of the factory disagree, e.g. a SQL function answers a code nobody catalogued."""


class StartupError(FactoryError):
    """The program can't start. The text is one line that says what to do."""


class Refusal(FactoryError):  # noqa: N818 - not every refusal is an error of somebody's
    """A typed refusal: what the client gets instead of a result.

    Takes a code of the catalogue, what to say about this occurrence (default: the code's meaning),
    the members that the code names, and, where the catalogue has several, the HTTP status.

    Raises ContractError when the code, the status or the members are not in the catalogue.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        spec = CATALOGUE.get(code)
        if spec is None:
            raise ContractError(f"no refusal is called {code!r}")
        if status is not None and status not in spec.statuses:
            raise ContractError(f"{code} is not answered with {status}")
        known = {member.name: member for member in spec.members}
        if unknown := members.keys() - known.keys():
            raise ContractError(f"{code} does not name the members {sorted(unknown)}")
        required = {member.name for member in spec.members if member.required}
        if missing := required - members.keys():
            raise ContractError(f"{code} needs the members {sorted(missing)}")
        super().__init__(detail or spec.meaning)
        self.code = code
        self.spec = spec
        self.is_recorded = False
        """Whether the function that answered it has recorded it, and committed that."""
        self.status = status or spec.status
        self.detail = detail or spec.meaning
        self.headers = dict(headers or {})
        self.members = {
            name: _in_utc(value) if known[name].type is datetime else value
            for name, value in members.items()
        }


def _in_utc(value: object) -> object:
    """A timestamp, of ours or as PostgreSQL writes it in JSON, in the form of all documents."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return value
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def main(arguments: list[str]) -> int:
    """Write the catalogue as Markdown to the file named, or to standard output."""
    text = catalogue_as_markdown(CATALOGUE)
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
