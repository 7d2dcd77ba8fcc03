"""From a YAML file to a template file, or to every mistake in it with its line."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.content import yaml_lines
from app.content.models import CreateFile, TemplateFile, VersionFile

#: What the API takes as the body of one request; a file that is larger could not be sent.
MAX_BYTES = 1024 * 1024

#: The examples, in the order in which they are loaded: a version after what it supersedes.
SEEDS: tuple[str, ...] = (
    "onboarding-v1.yaml",
    "onboarding-v2.yaml",
    "onboarding-v3.yaml",
    "status-report-v1.yaml",
    "status-report-v2.yaml",
    "status-report-v3.yaml",
)

_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "list_type": "must be a list: lines that begin with a dash",
    "dict_type": "must be a mapping: lines of the form name: value",
    "model_type": "must be a mapping: lines of the form name: value",
    "model_attributes_type": "must be a mapping: lines of the form name: value",
    "string_unicode": "contains half of a surrogate pair, which is no character",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "union_tag_not_found": "needs op: insert, replace, remove or move",
    "union_tag_invalid": "must have op insert, replace, remove or move",
}

#: What a text must look like, said without its pattern. Axes are told by their place.
_FORMS = {
    "family": "must look like tpl:wf:onboarding: small letters, digits and hyphens",
    "role": "must be small letters, digits, _ or -, beginning with a letter, 63 at most",
    "supersedes": "must look like v1",
    "media_type": "must look like text/markdown: small letters, no parameters",
    "title": "must be one line, without control characters",
    "reason": "must be one line, without control characters",
    "body": "must not contain the character NUL",
    "description": "must not contain the character NUL",
}
_STEPS_OF_PYDANTIC = frozenset({"insert", "replace", "remove", "move", "[key]"})
_AXIS_NAME = "is no name of an axis: letters, digits, ., _ or -, 63 at most"
_AXIS_VALUE = "must be one line, without control characters"


class ContentError(Exception):
    """A template file that can't be used; the message has one line for each mistake in it.

    `mistakes` are those lines, each beginning with the file's name and the line's number.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def read_template(source: Path | Traversable) -> TemplateFile:
    """Read a template file: a CreateFile where it has `pieces`, a VersionFile where `edits`.

    Raises ContentError with all mistakes at once, and OSError when the file can't be read.
    """
    name = str(source) if isinstance(source, Path) else source.name
    raw = source.read_bytes()
    if len(raw) > MAX_BYTES:
        raise ContentError([f"{name}:1: larger than {MAX_BYTES // 1024} KiB"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ContentError([f"{name}:{line}: is not UTF-8"]) from error
    return parse_template(text, name)


def parse_template(text: str, name: str) -> TemplateFile:
    """Like `read_template`, from a text; `name` is what mistakes are reported under."""
    document = yaml_lines.read(text)
    mistakes = [(problem.line, problem.message) for problem in document.problems]
    if document.complete:
        try:
            template = _kind_of(document.data).model_validate(document.data)
        except ValidationError as error:
            # A value that is no YAML already has its line, and would be reported again.
            known = {line for line, _ in mistakes}
            found = [_describe(part, document) for part in error.errors(include_url=False)]
            mistakes += [mistake for mistake in found if mistake[0] not in known]
        except _NoTemplate as error:
            mistakes.append((1, str(error)))
        else:
            if not mistakes:
                return template
    raise ContentError([f"{name}:{line}: {message}" for line, message in sorted(set(mistakes))])


def seeds() -> list[TemplateFile]:
    """Answer with the examples that `factory seed` loads, in order.

    Raises ContentError or OSError when the installation is damaged.
    """
    folder = resources.files("app.content") / "seeds"
    return [read_template(folder / name) for name in SEEDS]


class _NoTemplate(Exception):  # noqa: N818 - becomes one of the mistakes of a ContentError
    """The document is neither kind of file."""


def _kind_of(data: Any) -> type[CreateFile] | type[VersionFile]:
    if data is None:
        raise _NoTemplate("the file is empty")
    if not isinstance(data, dict):
        raise _NoTemplate("the file must be a mapping: lines of the form name: value")
    if "pieces" in data and "edits" in data:
        raise _NoTemplate("pieces (a family's first version) and edits (its next one): keep one")
    if "pieces" not in data and "edits" not in data:
        raise _NoTemplate("neither pieces (a family's first version) nor edits (its next one)")
    return CreateFile if "pieces" in data else VersionFile


def _describe(part: ErrorDetails, document: yaml_lines.Document) -> tuple[int, str]:
    path = _path_in_file(part["loc"], document)
    where = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    return document.line_of(path), f"{where or 'the file'} {_message(part, path, document)}"


def _message(part: ErrorDetails, path: yaml_lines.Path, document: yaml_lines.Document) -> str:
    if part["type"] == "string_type" and path == ("supersedes",):
        return _FORMS["supersedes"]
    if part["type"] == "string_type" and path in document.read_as:
        return f"must be text, but YAML reads {document.read_as[path]}: put it in quotes"
    if part["type"] == "string_pattern_mismatch":
        if path[-2:-1] == ("axes",):
            return _AXIS_NAME if part["loc"][-1] == "[key]" else _AXIS_VALUE
        return _FORMS[str(path[-1])]
    if part["type"] in _MESSAGES:
        return _MESSAGES[part["type"]]
    message = part["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _path_in_file(
    location: tuple[str | int, ...], document: yaml_lines.Document
) -> yaml_lines.Path:
    """Leave out what Pydantic puts into a location beside keys: the tag of a union, `[key]`."""
    path: yaml_lines.Path = ()
    for step in location:
        if (*path, step) in document.lines or step not in _STEPS_OF_PYDANTIC:
            path = (*path, step)
    return path
