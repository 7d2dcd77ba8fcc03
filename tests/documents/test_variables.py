"""What a piece uses of the data, and what a JSON Schema knows of it."""

from typing import Any

import pytest

from app.documents.liquid import parse_piece
from app.documents.variables import Knowledge, SchemaTooComplexError, Variable, path_text
from app.json_schema import compile_schema


def used(body: str) -> list[str]:
    return [variable.name for variable in parse_piece(body).variables]


def knowledge_of(schema: Any) -> Knowledge:
    return Knowledge(compile_schema(schema))


def unknown(path: str, schema: Any) -> bool:
    found = parse_piece(f"{{{{ {path} }}}}").variables
    return knowledge_of(schema).unknown(found) == list(found)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("no placeholder", []),
        ("{{ a }} {{ a }}", ["a", "a"]),
        ("{{ a.b['c d'].size }}", ["a.b['c d'].size"]),
        ("{{ a[0].b }} {{ a[c.d].e }}", ["a[0].b", "c.d", "a[].e"]),
        ("{{ 'a' | append: b | truncate: c.d }}", ["b", "c.d"]),
        ("{% if a and b.c > d or e contains 'f' %}{% elsif g %}{% endif %}",
         ["a", "b.c", "d", "e", "g"]),
        ("{% unless a %}{{ b }}{% else %}{{ c }}{% endunless %}", ["a", "b", "c"]),
        ("{% case a %}{% when b, 'c' %}{{ d }}{% endcase %}", ["a", "b", "d"]),
        ("{% cycle a, 'b' %}", ["a"]),
        ("{% for m in a.ms %}{{ m }}{{ m.due }}{{ forloop.index }}{% endfor %}{{ m }}",
         ["a.ms", "a.ms[]", "a.ms[].due", "m"]),
        ("{% for i in (1..a) limit: b offset: c %}{{ i }}{% endfor %}", ["b", "c", "a"]),
        ("{% for a in all %}{% for b in a.bs %}{{ b.c }}{{ a.d }}{% endfor %}{% endfor %}",
         ["all", "all[].bs", "all[].bs[].c", "all[].d"]),
        ("{{ a }}{% assign a = b %}{{ a.c }}", ["a", "b", "b.c"]),
        ("{% assign a = b | upcase %}{{ a }}", ["b"]),
        ("{% assign a = b %}{% assign a = c %}{{ a.d }}", ["b", "c"]),
        ("{% capture a %}{{ b }}{% endcapture %}{{ a }}", ["b"]),
        ("{% assign s = ms | where: 'late' | sort: 'due' %}{% for m in s %}{{ m.x }}{% endfor %}",
         ["ms", "ms[].late", "ms[].due", "ms", "ms[].x"]),
        ("{% assign m = ms | first %}{{ m.x }}", ["ms", "ms[].x"]),
        ("{% assign l = ms | default: '' %}{{ l.size }}", ["ms", "ms.size"]),
        ("{% assign l = ms | default: ns %}{{ l.size }}", ["ms", "ns"]),
        ("{% assign l = ms | map: 'x' %}{% for m in l %}{{ m.y }}{% endfor %}",
         ["ms", "ms[].x"]),
        ("{% raw %}{{ a }}{% endraw %}{% comment %}{{ b }}{% endcomment %}", []),
        ("{% if a %}{% assign z = 1 %}{{ z }}{% endif %}{{ z }}", ["a", "z"]),
        ("{% if a %}{% assign z = 1 %}{% else %}{{ z }}{% endif %}", ["a", "z"]),
        ("{% if a %}{% assign z = 1 %}{% elsif z %}{% assign z = 1 %}{% endif %}{{ z }}",
         ["a", "z", "z"]),
        ("{% if a %}{% assign z = b %}{% else %}{% capture z %}{% endcapture %}{% endif %}{{ z }}",
         ["a", "b"]),
        ("{% unless a %}{% assign z = 1 %}{% else %}{% assign z = 2 %}{% endunless %}{{ z }}",
         ["a"]),
        ("{% case a %}{% when 1 %}{% assign z = 1 %}{% else %}{% assign z = 2 %}{% endcase %}"
         "{{ z }}", ["a"]),
        ("{% case a %}{% when 1 %}{% assign z = 1 %}{% endcase %}{{ z }}", ["a", "z"]),
        ("{% case a %}{% endcase %}", ["a"]),
        ("{% for a in b %}{% assign z = a %}{{ z.c }}{% else %}{{ z }}{% endfor %}{{ z }}",
         ["b", "b[]", "b[].c", "z", "z"]),
        ("{% assign z = 1 %}{% for a in b %}{% assign z = a %}{% endfor %}{{ z }}", ["b", "b[]"]),
        ("{% capture y %}{% assign z = 1 %}{% endcapture %}{{ z }}", []),
    ],
)  # fmt: skip
def test_the_variables_of_a_piece_are_paths_from_the_data(body: str, names: list[str]) -> None:
    assert used(body) == names


def test_a_variable_has_its_place() -> None:
    piece = parse_piece("a {{ b }}\n{% for c in d %}\n  {{ c.e | default: f }}\n{% endfor %}")

    assert piece.variables == (
        Variable(("b",), 1, 6),
        Variable(("d",), 2, 13),
        Variable(("d", None, "e"), 3, 6),
        Variable(("f",), 3, 21),
    )


def test_a_path_is_written_as_an_author_would() -> None:
    assert path_text(("a", None, "b-c", "d e", 0, -1)) == "a[].b-c['d e'][0][-1]"


TEXT = {"type": "string"}
PERSON = {"properties": {"name": TEXT}}


@pytest.mark.parametrize(
    ("schema", "known", "not_known"),
    [
        (True, "", "a"),
        ({}, "", "a"),
        ({"type": "object"}, "", "a"),
        (PERSON, "name name.size", "nam name.first name.x size.x"),
        ({"properties": {"a": {}}}, "a a.size", "a.b"),
        ({"properties": {"a": True, "b": False}}, "a", "b a.b"),
        ({"properties": {"a": PERSON}}, "a.name", "a.x name"),
        ({"additionalProperties": True}, "a", "a.b"),
        ({"additionalProperties": PERSON}, "a.name", "a.b"),
        ({"additionalProperties": False}, "", "a"),
        ({"properties": {"a": {}}, "additionalProperties": PERSON}, "b.name", "a.name"),
        ({"patternProperties": {"^a": PERSON}}, "ab.name", "ab.x b"),
        ({"properties": {"a": {"items": PERSON}}}, "a[0].name a[-1].name a.first.name a.last.name "
         "a.size", "a.name a[0].x a.first.x"),
        ({"properties": {"a": {"items": False}}}, "a", "a[0] a.first"),
        ({"properties": {"a": {"prefixItems": [PERSON], "items": TEXT}}},
         "a[0].name a.first.name a.last.name a[1]", "a[1].name"),
        ({"properties": {"a": {"prefixItems": [PERSON]}}}, "a[0].name", "a[1]"),
        ({"properties": {"a": {"properties": {"first": PERSON}, "items": TEXT}}},
         "a.first.name", "a.last.name"),
        ({"allOf": [{"anyOf": [{"oneOf": [PERSON]}]}]}, "name", "x"),
        ({"if": {"properties": {"a": {}}}, "then": PERSON, "else": {"properties": {"b": {}}}},
         "a b name", "c"),
        ({"dependentSchemas": {"x": PERSON}}, "name", "x"),
        ({"not": PERSON}, "", "name"),
        ({"$ref": "#/$defs/p~1%71", "$defs": {"p/q": PERSON}}, "name", "x"),
        ({"$ref": "#/allOf/0", "allOf": [PERSON]}, "name", "x"),
    ],
)  # fmt: skip
def test_a_schema_knows_what_it_describes(schema: Any, known: str, not_known: str) -> None:
    assert [path for path in known.split() if unknown(path, schema)] == []
    assert [path for path in not_known.split() if not unknown(path, schema)] == []


def test_an_item_or_member_that_data_chooses_may_be_any() -> None:
    schema = {
        "properties": {
            "key": TEXT,
            "list": {"prefixItems": [PERSON], "items": {"properties": {"age": TEXT}}},
            "map": {"properties": {"a": PERSON}, "additionalProperties": {"properties": {"b": {}}}},
        }
    }
    body = (
        "{{ list[key].name }}{{ list[key].age }}{{ map[key].name }}{{ map[key].b }}{{ map[key].c }}"
    )

    found = knowledge_of(schema).unknown(parse_piece(body).variables)

    assert [variable.name for variable in found] == ["map[].c"]


def test_unknown_variables_are_told_where_they_stand() -> None:
    piece = parse_piece("{{ name }}\n{{ nmae }}{% for m in ms %}{{ m.deu }}{% endfor %}")
    schema = {
        "properties": {"name": TEXT, "ms": {"items": {"properties": {"due": TEXT}}}},
    }

    assert knowledge_of(schema).unknown(piece.variables) == [
        Variable(("nmae",), 2, 4),
        Variable(("ms", None, "deu"), 2, 31),
    ]


SCHEMA = {
    "type": "object",
    "required": ["name", "person", "ms", "nothing"],
    "properties": {
        "name": TEXT,
        "phone": TEXT,
        "colour": {"type": "string", "default": "green"},
        "person": {
            "type": "object",
            "properties": {"name": TEXT, "chief": {"$ref": "#/$defs/chief"}},
        },
        "ms": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["due"],
                "properties": {"due": TEXT, "owner": TEXT},
            },
        },
        "nothing": {"anyOf": [TEXT, {"type": "null"}]},
    },
    "additionalProperties": TEXT,
    "$defs": {
        "chief": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": ["string", "null"]}},
        },
    },
}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("{{ name }}{{ nmae.x }}", ""),
        ("{{ colour }}", "colour"),
        ("{{ phone }}{{ phone | upcase }}", "phone phone"),
        ("{{ phone.size }}", "phone.size"),
        ("{{ free }}", "free"),
        ("{{ nothing }}", "nothing"),
        ("{{ phone | default: 'none' | upcase }}", ""),
        ("{{ phone | upcase | default: 'none' }}", "phone"),
        ("{{ name | default: phone }}", "phone"),
        ("{% if phone %}{{ phone }}{% endif %}{{ phone }}", "phone"),
        ("{% if name == 'a' and phone %}{{ phone }}{% endif %}", ""),
        ("{% unless phone %}none{% else %}{{ phone }}{% endunless %}", ""),
        ("{% if name %}{% elsif phone %}{{ phone }}{% endif %}", ""),
        ("{% case phone %}{% when '1' %}{{ phone }}{% endcase %}", ""),
        ("{{ person.name }}", "person.name"),
        ("{{ person.chief.name }}", "person.chief.name"),
        ("{% if person.chief %}{{ person.chief.name }}{% endif %}", "person.chief.name"),
        ("{% if person.chief and person.chief.name %}{{ person.chief.name }}{% endif %}", ""),
        ("{% for m in ms %}{{ m.due }}{{ m.owner }}{% endfor %}{{ ms.first.due }}", "ms[].owner"),
        ("{% for m in ms %}{% if m.owner %}{{ m.owner }}{% endif %}{% endfor %}", ""),
        ("{% for p in phones %}{{ p }}{% endfor %}", "phones"),
        ("{% assign s = ms | sort: 'owner' %}", ""),
    ],
)
def test_what_may_be_missing_is_told_unless_it_is_tested(body: str, names: str) -> None:
    found = knowledge_of(SCHEMA).may_be_missing(parse_piece(body).variables)

    assert [variable.name for variable in found] == names.split()


A: dict[str, Any] = {"required": ["a"], "properties": {"a": TEXT}}
"""Data that has a text there."""

OTHER: dict[str, Any] = {"properties": {"a": TEXT}}
"""Data that may have one."""

NO_NULL: list[Any] = [TEXT, {"enum": ["x", 1]}, {"const": "x"}, {"type": ["string", "number"]}]
MAYBE_NULL: list[Any] = [
    True,
    {},
    {"minLength": 1},
    {"type": ["string", "null"]},
    {"enum": ["x", None]},
    {"const": None},
]


@pytest.mark.parametrize(
    ("schema", "assured"),
    [
        (A, True),
        (OTHER, False),
        ({"allOf": [OTHER, A]}, True),
        ({"allOf": [OTHER], "required": ["a"]}, True),
        ({"anyOf": [A, A]}, True),
        ({"anyOf": [A, OTHER]}, False),
        ({"oneOf": [A, {"$ref": "#/$defs/a"}], "$defs": {"a": A}}, True),
        ({"oneOf": [A, {"required": ["b"], "properties": {"b": TEXT}}]}, False),
        ({"anyOf": [A, False]}, True),
        ({"if": OTHER, "then": A, "else": A}, True),
        ({"if": OTHER, "then": A}, False),
        ({"if": A, "then": OTHER, "else": A}, False),
        ({"then": A, "else": A, **OTHER}, False),
        ({"dependentSchemas": {"b": A}}, False),
        *(({**A, "properties": {"a": a}}, True) for a in NO_NULL),
        *(({**A, "properties": {"a": a}}, False) for a in MAYBE_NULL),
        ({**A, "properties": {"a": {"allOf": [{}, TEXT]}}}, True),
        ({**A, "properties": {"a": {"anyOf": [TEXT, {"type": "null"}]}}}, False),
        ({**A, "properties": {"a": {"anyOf": [TEXT, {"type": "number"}]}}}, True),
        ({**A, "properties": {"a": {}}, "patternProperties": {"^a$": TEXT}}, True),
        ({**A, "properties": {"a": {}}, "anyOf": [A, OTHER]}, True),
        ({**A, "properties": {"a": {}}, "anyOf": [A, {}]}, False),
    ],
)
def test_what_is_required_in_all_alternatives_is_assured(schema: Any, assured: bool) -> None:
    variables = parse_piece("{{ a }}").variables

    assert knowledge_of(schema).may_be_missing(variables) == ([] if assured else list(variables))


MAYBE = {"type": ["string", "null"]}


@pytest.mark.parametrize(
    ("path", "items", "assured"),
    [
        ("list[0]", {"prefixItems": [TEXT, MAYBE], "items": MAYBE}, True),
        ("list[1]", {"prefixItems": [TEXT, MAYBE], "items": TEXT}, False),
        ("list[2]", {"prefixItems": [MAYBE, MAYBE], "items": TEXT}, True),
        ("list.first", {"prefixItems": [TEXT, MAYBE], "items": MAYBE}, True),
        *(
            (path, items, assured)
            for path in ("list[-1]", "list.last", "list[key]")
            for items, assured in (
                ({"prefixItems": [TEXT], "items": TEXT}, True),
                ({"prefixItems": [TEXT], "items": MAYBE}, False),
                ({"prefixItems": [MAYBE], "items": TEXT}, False),
            )
        ),
    ],
)
def test_an_item_is_assured_where_all_that_it_may_be_are(
    path: str, items: Any, assured: bool
) -> None:
    schema = {
        "required": ["list", "key"],
        "properties": {"list": {"type": "array", **items}, "key": {"type": "integer"}},
    }
    variables = parse_piece(f"{{{{ {path} }}}}").variables

    found = knowledge_of(schema).may_be_missing(variables)
    assert [variable.name for variable in found] == ([] if assured else [variables[-1].name])


MANY: list[Any] = [{"properties": {"a": {}}} for _ in range(2_000)]


@pytest.mark.parametrize("ask", [Knowledge.unknown, Knowledge.may_be_missing])
@pytest.mark.parametrize(
    "schema",
    [
        {"additionalProperties": {"allOf": MANY}},
        {"patternProperties": {f"^{number}": TEXT for number in range(100)}},
    ],
)
def test_a_schema_of_too_many_schemas_is_refused(ask: Any, schema: Any) -> None:
    body = "".join(f"{{{{ v{number}.a }}}}" for number in range(60))

    with pytest.raises(SchemaTooComplexError):
        ask(knowledge_of(schema), parse_piece(body).variables)


def test_a_variable_is_looked_for_once_however_often_it_is_used() -> None:
    knowledge = knowledge_of({"patternProperties": {f"^p{number}$": {} for number in range(400)}})
    variables = parse_piece("{{ p7 }}" * 5_000).variables

    assert knowledge.may_be_missing(variables) == list(variables)


def test_patterns_are_matched_in_linear_time() -> None:
    """This one takes longer than the universe lasts where it is tried in every way."""
    schema = {"patternProperties": {"^(a+)+$": TEXT}}

    assert not unknown("a" * 64, schema)
    assert unknown("a" * 64 + "b", schema)
