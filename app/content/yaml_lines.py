"""YAML read strictly, with the line of every value: what PyYAML's own loading forgets or forgives.

Refused here, because each of them has hidden a mistake from an author or can be used against the
reader: a key that stands twice (PyYAML keeps the last), aliases (`*name`; a few lines of them can
unfold to gigabytes), tags (`!!python/…`), several documents in a file, keys that are no text.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import ReaderError

MAX_DEPTH = 32

#: What YAML 1.1 makes of a text without quotes, for the message that says so.
READ_AS = {
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:null": "nothing (null)",
    "tag:yaml.org,2002:timestamp": "a date",
}
_TAGS = frozenset({*READ_AS, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))})

_HINTS = {
    "mapping values are not allowed": "put a text with a colon in quotes",
    "'\\t' that cannot start": "indent with spaces, not tabs",
    "found another document": "one file holds one document: remove the line ---",
    "'%' that cannot start": "put a text that begins with % in quotes",
    "'@' that cannot start": "put a text that begins with @ in quotes",
    "'`' that cannot start": "put a text that begins with ` in quotes",
    "expected alphabetic or numeric character": "put a text that begins with * or & in quotes",
    "expected <block end>": "is the line indented like its neighbours?",
    "could not find expected ':'": "is the line above complete, and this one indented enough?",
}

Path = tuple[str | int, ...]


class YamlProblem(Exception):  # noqa: N818 - one of several that are reported together
    """Something that the file must not say, at a line counted from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass
class Document:
    """What a file holds, and where each value of it stands."""

    data: Any = None
    #: The text could be read to its end: `data` is there, whatever else is wrong with it.
    complete: bool = False
    problems: list[YamlProblem] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)
    read_as: dict[Path, str] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """Answer with the line of the value, or of the nearest value around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str) -> Document:
    """Answer with the document in the text, and with everything that is wrong with it as YAML.

    Raises nothing for bad input: what is wrong is in `problems`.
    """
    document = Document()
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document.data = None if node is None else _build(loader, node, (), document)
        document.complete = True
    except YamlProblem as problem:
        document.problems.append(problem)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"U+{ord(text[error.position]):04X}"
        document.problems.append(YamlProblem(line, f"the character {character} is not allowed"))
    except yaml.MarkedYAMLError as error:
        document.problems.append(_from_parser(error))
    return document


class _Loader(yaml.SafeLoader):
    """PyYAML's reading of the text into nodes, bounded in depth and without aliases."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it out
        line = _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise YamlProblem(
                line, f"*{event.anchor} refers to another place: write it out, or put it in quotes"
            )
        if self.depth > MAX_DEPTH:
            raise YamlProblem(line, f"is nested more than {MAX_DEPTH} deep")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _line(mark: Any) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _build(loader: _Loader, node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines[path] = _line(node.start_mark)
    if node.tag not in _TAGS:
        problem = f"the tag {node.tag!r} is not allowed"
        document.problems.append(YamlProblem(_line(node.start_mark), problem))
        return None
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(loader, node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, (*path, i), document) for i, item in enumerate(node.value)]
    return _build_scalar(loader, node, path, document)


def _build_mapping(
    loader: _Loader, node: yaml.MappingNode, path: Path, document: Document
) -> dict[str, Any]:
    built: dict[str, Any] = {}
    first_lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = _line(key_node.start_mark)
        key = key_node.value
        if not isinstance(key, str):
            document.problems.append(YamlProblem(line, "a key must be text"))
            continue
        if key in first_lines:
            problem = f"{key!r} stands twice, first in line {first_lines[key]}"
            document.problems.append(YamlProblem(line, problem))
            continue
        first_lines[key] = line
        built[key] = _build(loader, value_node, (*path, key), document)
        # A value may begin below its key, but the key is where an author looks for it.
        document.lines[(*path, key)] = line
    return built


def _build_scalar(loader: _Loader, node: yaml.Node, path: Path, document: Document) -> Any:
    line = _line(node.start_mark)
    if node.tag in READ_AS:
        document.read_as[path] = f"{node.value!r} as {READ_AS[node.tag]}"
    try:
        return loader.construct_object(node)
    except ValueError:
        # 2026-13-45 has the form of a date, and a number may have more digits than int() takes.
        shown = str(node.value)[:40]
        problem = f"{shown!r} is no {READ_AS[node.tag].removeprefix('a ')}: put it in quotes"
        document.problems.append(YamlProblem(line, problem))
        return None


def _from_parser(error: yaml.MarkedYAMLError) -> YamlProblem:
    message = str(error.problem or error.context or "this is no YAML")
    hint = next((_HINTS[part] for part in _HINTS if part in message), None)
    mark = error.problem_mark or error.context_mark
    return YamlProblem(_line(mark), f"{message} ({hint})" if hint else message)
