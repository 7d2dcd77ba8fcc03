"""A template file is read strictly, and all that is wrong with it is said at once, by line."""

import json
from pathlib import Path

import pytest

from app.content import ContentError, CreateFile, VersionFile, parse_template, read_template

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "content-format.md"

CREATE = """\
family: tpl:wf:expense-approval
title: Expense approval
reason: first version
pieces:
  - role: request
    title: Handing in
    body: |
      # Handing in
"""

VERSION = """\
family: tpl:wf:expense-approval
reason: shorter
edits:
  - op: remove
    position: 1
"""


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ContentError) as caught:
        parse_template(text, "f.yaml")
    assert str(caught.value) == "\n".join(caught.value.mistakes)
    return caught.value.mistakes


def test_a_file_with_pieces_creates_a_family() -> None:
    template = parse_template(CREATE, "f.yaml")

    assert isinstance(template, CreateFile)
    assert template.request_body() == {
        "family": "tpl:wf:expense-approval",
        "title": "Expense approval",
        "description": "",
        "reason": "first version",
        "pieces": [
            {
                "role": "request",
                "title": "Handing in",
                "media_type": "text/markdown",
                "body": "# Handing in\n",
                "axes": {},
            }
        ],
    }


def test_a_file_with_edits_makes_the_next_version() -> None:
    template = parse_template(
        """\
family: tpl:wf:expense-approval
supersedes: v1
reason: shorter
edits:
  - {op: remove, position: 1}
  - {op: move, position: 3, to: 1}
  - op: insert
    position: 2
    piece: {role: payment, title: Paying, media_type: text/plain, body: Soon., axes: {a: "1"}}
  - {op: replace, position: 1, piece: {role: request, title: Asking, body: Ask.}}
""",
        "f.yaml",
    )

    assert isinstance(template, VersionFile)
    assert (template.family, template.supersedes) == ("tpl:wf:expense-approval", "v1")
    assert template.request_body() == {
        "reason": "shorter",
        "edits": [
            {"op": "remove", "position": 1},
            {"op": "move", "position": 3, "to": 1},
            {
                "op": "insert",
                "position": 2,
                "piece": {
                    "role": "payment",
                    "title": "Paying",
                    "media_type": "text/plain",
                    "body": "Soon.",
                    "axes": {"a": "1"},
                },
            },
            {
                "op": "replace",
                "position": 1,
                "piece": {
                    "role": "request",
                    "title": "Asking",
                    "media_type": "text/markdown",
                    "body": "Ask.",
                    "axes": {},
                },
            },
        ],
    }


def test_a_file_says_what_data_is_asked_for_or_says_nothing_of_it() -> None:
    version = """\
family: tpl:wf:expense-approval
reason: shorter
edits: [{op: remove, position: 1}]
"""
    schema = {"type": "object", "required": ["amount"], "properties": {"amount": {"minimum": 0}}}
    said = f"parameters: {json.dumps(schema)}\n"
    for text in (CREATE, version):
        assert "parameters" not in parse_template(text, "f.yaml").request_body()
        assert parse_template(said + text, "f.yaml").request_body()["parameters"] == schema
        nothing = parse_template("parameters: null\n" + text, "f.yaml").request_body()
        assert nothing["parameters"] is None


def test_the_body_is_kept_as_yaml_hands_it_over() -> None:
    text = CREATE.replace("body: |\n      # Handing in\n", 'body: " a\\r\\n\\tb\\n\\n"\n')

    template = parse_template(text, "f.yaml")

    assert isinstance(template, CreateFile)
    assert template.pieces[0].body == " a\r\n\tb\n\n"


def test_every_mistake_is_reported_at_once_with_its_line() -> None:
    text = """\
family: Tpl:wf
title: Yes
reason: 2026-01-31
extra: 1
pieces:
  - role: 1a
    title: first
    title: second
    body: ""
    axes: {"a b": x, count: 3, fine: "a\\x01"}
  - role: plan
    body: "\\ud800"
  - just text
"""

    assert mistakes_of(text) == [
        "f.yaml:1: family must look like tpl:wf:onboarding: small letters, digits and hyphens",
        "f.yaml:2: title must be text, but YAML reads 'Yes' as true or false: put it in quotes",
        "f.yaml:3: reason must be text, but YAML reads '2026-01-31' as a date: put it in quotes",
        "f.yaml:4: extra is not known here",
        "f.yaml:6: pieces[1].role must be small letters, digits, _ or -, "
        "beginning with a letter, 63 at most",
        "f.yaml:8: 'title' stands twice, first in line 7",
        "f.yaml:9: pieces[1].body must not be empty",
        "f.yaml:10: pieces[1].axes.a b is no name of an axis: "
        "letters, digits, ., _ or -, 63 at most",
        "f.yaml:10: pieces[1].axes.count must be text, but YAML reads '3' as a number: "
        "put it in quotes",
        "f.yaml:10: pieces[1].axes.fine must be one line, without control characters",
        "f.yaml:11: pieces[2].title is missing",
        "f.yaml:12: pieces[2].body contains half of a surrogate pair, which is no character",
        "f.yaml:13: pieces[3] must be a mapping: lines of the form name: value",
    ]


def test_every_mistake_in_edits_is_reported_at_once_with_its_line() -> None:
    text = """\
family: tpl:a:b
supersedes: 1
reason: x
edits:
  - {op: insert, position: 0}
  - {op: swap, position: 1}
  - {position: 1}
  - {op: move, position: 1.5, to: "2"}
  - op: remove
    position: 99999999999999999999
    piece: {}
"""

    assert mistakes_of(text) == [
        "f.yaml:2: supersedes must look like v1",
        "f.yaml:5: edits[1].piece is missing",
        "f.yaml:5: edits[1].position input should be greater than or equal to 1",
        "f.yaml:6: edits[2] must have op insert, replace, remove or move",
        "f.yaml:7: edits[3] needs op: insert, replace, remove or move",
        "f.yaml:8: edits[4].position must be a whole number",
        "f.yaml:8: edits[4].to must be a whole number",
        "f.yaml:10: edits[5].position input should be less than or equal to 10000",
        "f.yaml:11: edits[5].piece is not known here",
    ]


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("", ["f.yaml:1: the file is empty"]),
        ("# only a comment\n", ["f.yaml:1: the file is empty"]),
        ("- a\n", ["f.yaml:1: the file must be a mapping: lines of the form name: value"]),
        (
            "family: tpl:a:b\n",
            [
                "f.yaml:1: neither pieces (a family's first version) nor edits (its next one)",
            ],
        ),
        (
            CREATE + "edits: []\n",
            ["f.yaml:1: pieces (a family's first version) and edits (its next one): keep one"],
        ),
        (
            VERSION.replace("shorter", "shorter: by one"),
            ["f.yaml:2: mapping values are not allowed here (put a text with a colon in quotes)"],
        ),
        (
            VERSION.replace("  - op", "\t- op"),
            [
                "f.yaml:4: found character '\\t' that cannot start any token "
                "(indent with spaces, not tabs)"
            ],
        ),
        (
            VERSION + "---\n" + VERSION,
            [
                "f.yaml:6: but found another document "
                "(one file holds one document: remove the line ---)"
            ],
        ),
        (
            VERSION.replace("shorter", "*shorter"),
            ["f.yaml:2: *shorter refers to another place: write it out, or put it in quotes"],
        ),
        (
            VERSION.replace("shorter", "*shorter*"),
            [
                "f.yaml:2: expected alphabetic or numeric character, but found '*' "
                "(put a text that begins with * or & in quotes)"
            ],
        ),
        (
            VERSION.replace("shorter", "!!python/object/apply:os.system [true]"),
            ["f.yaml:2: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed"],
        ),
        (
            VERSION.replace("shorter", "!!python/name:os.system x"),
            ["f.yaml:2: the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed"],
        ),
        (VERSION.replace("shorter", "a\0b"), ["f.yaml:2: the character U+0000 is not allowed"]),
        (
            VERSION.replace("shorter", '"a\\0b"'),
            ["f.yaml:2: reason must be one line, without control characters"],
        ),
        (
            VERSION.replace("shorter", "2026-13-45"),
            ["f.yaml:2: '2026-13-45' is no date: put it in quotes"],
        ),
        (
            VERSION.replace("position: 1", "position: " + "9" * 5000),
            [f"f.yaml:5: '{'9' * 40}' is no number: put it in quotes"],
        ),
        (
            VERSION + "parameters: [a]\n",
            ["f.yaml:6: parameters must be a mapping: lines of the form name: value"],
        ),
        (VERSION + "? [a]\n: b\n", ["f.yaml:6: a key must be text"]),
        (VERSION + "<<: {a: b}\n", ["f.yaml:6: << is not known here"]),
        (
            CREATE.replace("|\n      # Handing in", '" "'),
            ["f.yaml:7: pieces[1].body should not be blank"],
        ),
        ("a: " + "[" * 100_000, ["f.yaml:1: is nested more than 32 deep"]),
        ("a: " + "{b: " * 100_000, ["f.yaml:1: is nested more than 32 deep"]),
    ],
)
def test_a_file_that_is_no_template_is_refused(text: str, mistakes: list[str]) -> None:
    assert mistakes_of(text) == mistakes


def test_few_lines_can_not_unfold_to_gigabytes() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert mistakes_of("\n".join(lines)) == [
        "f.yaml:2: *a0 refers to another place: write it out, or put it in quotes"
    ]


def test_a_file_that_is_too_large_to_be_sent_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(CREATE + "      x\n" * 200_000, encoding="utf-8")

    with pytest.raises(ContentError) as caught:
        read_template(file)

    assert caught.value.mistakes == [f"{file}:1: larger than 1024 KiB"]


def test_a_file_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "latin1.yaml"
    file.write_bytes(CREATE.replace("Handing in", "Prüfung").encode("latin-1"))

    with pytest.raises(ContentError) as caught:
        read_template(file)

    assert caught.value.mistakes == [f"{file}:6: is not UTF-8"]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_text("\ufeff" + CREATE, encoding="utf-8")

    assert read_template(file) == parse_template(CREATE, "f.yaml")


def test_a_file_that_is_not_there_is_no_mistake_in_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_template(tmp_path / "nowhere.yaml")


def test_the_examples_in_the_documentation_are_template_files() -> None:
    blocks = DOCUMENTATION.read_text(encoding="utf-8").split("```yaml\n")[1:]
    templates = [parse_template(block.split("```")[0], "docs") for block in blocks]

    assert [type(template) for template in templates] == [CreateFile, VersionFile]


@pytest.mark.parametrize("model", [CreateFile, VersionFile])
def test_every_key_is_documented(model: type[CreateFile] | type[VersionFile]) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")

    assert [name for name in model.model_fields if f"| `{name}` |" not in text] == []
