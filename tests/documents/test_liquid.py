"""A piece is filled with data, nothing is left out silently, and what is wrong is told at once."""

from typing import Any

import pytest

from app.documents.liquid import Flaw, parse_piece
from tests.support.liquid import fill, flaws, unfillable


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("a", "a"),
        (0, "0"),
        (-5, "-5"),
        (5.0, "5"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (2**53 - 1, "9007199254740991"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_a_value_is_shown(value: object, text: str) -> None:
    assert fill("{{ x }}", x=value) == text


@pytest.mark.parametrize(
    ("value", "detail", "rule"),
    [
        (None, "x: null is no text: test for it, or give a default", "undefined"),
        ([1], "x: a list is no text", "value"),
        ({"a": 1}, "x: an object is no text", "value"),
    ],
)
def test_what_is_no_text_is_not_shown(value: object, detail: str, rule: str) -> None:
    assert unfillable("a\nb {{ x }}", x=value) == Flaw(2, 6, detail, rule)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", ["{{ x }}", "{{ x | upcase }}", "{{ 'a' | append: x }}"])
def test_what_is_missing_is_not_shown(body: str) -> None:
    flaw = unfillable(body)

    assert flaw == Flaw(1, body.index("x") + 1, "'x' is undefined", "undefined")


@pytest.mark.parametrize(
    "body",
    [
        "{{ a.b.c }}",
        "{% for b in a.b %}{% endfor %}",
        "{{ a | where: 'b', c }}",
        "{% for i in (1..b) %}{% endfor %}",
        "{{ a[b] }}",
    ],
)
def test_nothing_is_made_of_what_is_missing(body: str) -> None:
    assert unfillable(body, a={"e": 1} if "where" not in body else [{"b": 1}]).rule == "undefined"


@pytest.mark.parametrize("value", [{}, {"x": None}, {"x": {}}, {"x": {"y": None}}])
def test_what_is_missing_or_null_can_be_tested_and_replaced(value: dict[str, Any]) -> None:
    body = "{% if x.y %}a{% elsif x.y == 1 %}b{% else %}c{% endif %}{{ x.y | default: 'd' }}"

    assert fill(body, **value) == "cd"


@pytest.mark.parametrize("value", ["text", 5, {"a": 1}, None])
def test_a_loop_goes_through_lists_only(value: object) -> None:
    assert unfillable("{% for a in x %}{% endfor %}", x=value).rule == (
        "undefined" if value is None else "value"
    )


@pytest.mark.parametrize("value", ["2", 2.5, True, -1, [1]])
@pytest.mark.parametrize("part", ["limit: x", "offset: x"])
def test_a_loop_is_cut_by_whole_numbers_only(part: str, value: object) -> None:
    assert unfillable(f"{{% for i in l {part} %}}{{% endfor %}}", l=[1], x=value).rule == "value"


@pytest.mark.parametrize("value", ["2", 2.5, True, [1]])
@pytest.mark.parametrize("range_", ["(x..2)", "(1..x)"])
def test_a_range_has_whole_numbers_for_ends(range_: str, value: object) -> None:
    assert unfillable(f"{{% for i in {range_} %}}{{% endfor %}}", x=value).rule == "value"


@pytest.mark.parametrize(
    "path",
    [
        "t.__class__", "t.__class__.__mro__", "t.upper", "t.format", "t.size.real", "t.first",
        "t.last", "t[0]", "a.items", "a.keys", "a.pop", "a.first", "a['__class__']", "a[l]",
        "l.append", "l.count", "l.__len__", "l['0']", "l[2]", "l[-3]", "l[a]", "n.real", "n.size",
        "e.first", "e.last", "e[0]", "e[-1]", "forloop[t]",
    ],
)  # fmt: skip
def test_a_path_leads_to_data_only(path: str) -> None:
    body = f"{{% for i in l %}}{{{{ {path} }}}}{{% endfor %}}"

    flaw = unfillable(body, t="text", a={"b": 1}, l=[1, 2], n=5, e=[])

    assert (flaw.rule, flaw.detail[-14:]) == ("undefined", "' is undefined")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.b.c", "a.b.c"),
        ("l[7].b", "l[7].b"),
        ("a[t]", "a[' t']"),
        ("l[l]", "l[]"),
        ("l[n]", "l[5]"),
    ],
)
def test_what_is_missing_is_named(path: str, name: str) -> None:
    flaw = unfillable(f"{{{{ {path} }}}}", t=" t", a={}, l=[], n=5)

    assert flaw.detail == f"{name!r} is undefined"


@pytest.mark.parametrize(
    "condition",
    ["n < t", "t > n", "l < l", "n contains t"],
)
def test_what_is_of_different_kinds_is_not_compared(condition: str) -> None:
    flaw = unfillable(f"{{% if {condition} %}}{{% endif %}}", t="text", n=5, l=[1])

    assert flaw == Flaw(
        1,
        8 + condition.index(" "),
        "these can't be compared: < and > take two numbers or two texts, and contains looks in"
        " texts, lists and objects",
        "value",
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.size", "one"),
        ("b.size", "1"),
        ("l.size", "2"),
        ("t.size", "4"),
        ("l.first", "1"),
        ("l.last", "2"),
        ("l[0]", "1"),
        ("l[-1]", "2"),
        ("a['size']", "one"),
        ("a[k]", "one"),
        ("l[i]", "2"),
    ],
)
def test_a_path_leads_to_members_items_and_sizes(path: str, text: str) -> None:
    data = {"a": {"size": "one"}, "b": {"c": 1}, "l": [1, 2], "t": "text", "k": "size", "i": 1}

    assert fill(f"{{{{ {path} }}}}", **data) == text


# ---------------------------------------------------------------------------------- tags


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{% if n == 2 and l contains 2 %}a{% endif %}", "a"),
        ("{% unless n > 1 %}a{% else %}b{% endunless %}", "b"),
        ("{% case n %}{% when 1, 2 %}a{% when 3 %}b{% else %}c{% endcase %}", "a"),
        ("{% for i in l %}{{ forloop.index }}{{ i }}{% else %}-{% endfor %}", "112233"),
        ("{% for i in e %}{{ i }}{% else %}-{% endfor %}", "-"),
        ("{% for i in l limit: 0 %}{{ i }}{% else %}-{% endfor %}", "-"),
        ("{% for i in l reversed limit: 2 offset: 1 %}{{ i }}{% endfor %}", "32"),
        ("{% for i in (1..n) %}{{ i }}{% endfor %}", "12"),
        ("{% for i in l limit: 1 %}{% endfor %}"
         "{% for i in l offset: continue %}{{ i }}{% endfor %}", "23"),
        ("{% for i in l %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "13"),
        ("{% for i in l %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% endfor %}", "12"),
        ("{% for i in l %}{% for j in l %}{{ forloop.parentloop.index }}{% endfor %}{% endfor %}",
         "111222333"),
        ("{% for i in l %}{% cycle 'a', 's*' %}{% endfor %}", "as\\*a"),
        ("{% assign m = n | plus: 1 %}{{ m }}", "3"),
        ("{% capture m %}a{{ n }}{% endcapture %}{{ m }}", "a2"),
        ("a{% comment %} {{ x | nope }} {% endcomment %}b", "ab"),
        ("{% raw %}{{ x }}{% if %}{% endraw %}", "{{ x }}{% if %}"),
        ("a  {%- if n -%}  b  {%- endif -%}  c {{- n -}} d", "abc2d"),
        ("a\n{% if n %}\n{% assign m = 1 %}\n{% endif %}\nb", "a\n\nb"),
    ],
)  # fmt: skip
def test_a_tag_does_what_it_does_in_liquid(body: str, text: str) -> None:
    assert fill(body, n=2, l=[1, 2, 3], e=[]) == text


def test_a_piece_without_placeholders_stays_as_it_is() -> None:
    body = "# A\n\n{ %} }} {#\n"

    assert parse_piece(body).variables == ()
    assert fill(body) == body


def test_a_piece_is_parsed_once() -> None:
    assert parse_piece("{{ a }}") is parse_piece("".join(["{{ a", " }}"]))


# --------------------------------------------------------------------------------- flaws


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        ("{{ a", Flaw(1, 1, "{{ is never closed by }}", "syntax")),
        ("a {% if", Flaw(1, 3, "{% is never closed by %}", "syntax")),
        ("{{ }}", Flaw(1, 1, "there is nothing in the placeholder", "syntax")),
        ("{% if a %}\n{{ b }}", Flaw(1, 1, "if is never closed by endif", "syntax")),
        ("{% raw %}{{", Flaw(1, 1, "raw is never closed by endraw", "syntax")),
        ("a{% endfor %}", Flaw(1, 2, "endfor closes nothing", "syntax")),
        ("{% endcomment %}", Flaw(1, 1, "endcomment closes nothing", "syntax")),
        ("{% break %}", Flaw(1, 1, "break stands in no for", "syntax")),
        (
            "{% for a in b %}{% elsif a %}{% endfor %}",
            Flaw(1, 17, "elsif stands directly in if or unless only", "syntax"),
        ),
        (
            "{% if a %}{% else %}{% elsif b %}{% endif %}",
            Flaw(1, 21, "elsif stands after else", "syntax"),
        ),
        ("{% if a %}{% endif a %}", Flaw(1, 11, "endif takes nothing", "syntax")),
        ("{{ a b }}", Flaw(1, 6, "expected end of expression, found word", "syntax")),
        ("a {{ b | }}", Flaw(1, 3, "expected word, found end of expression", "syntax")),
        ("{% for i in %}{% endfor %}", Flaw(1, 4, "expected a primitive", "syntax")),
        ("{{ (1..2) }}", Flaw(1, 4, "a range stands in for only", "syntax")),
        ("{{ [a].b }}", Flaw(1, 4, "a variable begins with its name", "syntax")),
        ("{% render 'a' %}", Flaw(1, 1, "there is no tag 'render'; there are", "tag")),
        ("{% increment a %}", Flaw(1, 1, "there is no tag 'increment'", "tag")),
        ("{{ nil }}", Flaw(1, 4, "nil is for comparisons only", "value")),
        ("{{ null | upcase }}", Flaw(1, 4, "null is for comparisons only", "value")),
        ("{{ empty | default: 'a' }}", Flaw(1, 4, "empty is for comparisons only", "value")),
        ("{% cycle 'a', blank %}", Flaw(1, 15, "blank is for comparisons only", "value")),
        ("{% for a in nil %}{% endfor %}", Flaw(1, 13, "nil is for comparisons only", "value")),
        ("{{ a | safe }}", Flaw(1, 8, "there is no filter 'safe'", "filter")),
        ("{{ a | append }}", Flaw(1, 8, "append: missing a required argument", "filter")),
        ("{{ a | upcase: 1 }}", Flaw(1, 8, "upcase: too many positional", "filter")),
        ("{{ a | default: b: 1 }}", Flaw(1, 8, "default: got an unexpected", "filter")),
        ("{{ a | date: '%10d' }}", Flaw(1, 8, "date: there is no %1 in a format", "filter")),
        ("{{ now }}", Flaw(1, 4, "'now' would be another date every day", "clock")),
        ("{% if today.a %}{% endif %}", Flaw(1, 7, "'today' would be", "clock")),
        ("{{ 'now' | date: '%F' }}", Flaw(1, 4, "'now' would be", "clock")),
        ("{{ a | default: ' TODAY ' | date: '%F' }}", Flaw(1, 17, "' TODAY ' would", "clock")),
    ],
)
def test_a_flaw_is_found_whatever_the_data(body: str, flaw: Flaw) -> None:
    (found,) = flaws(body)

    assert (found.line, found.column, found.rule) == (flaw.line, flaw.column, flaw.rule)
    assert found.detail.startswith(flaw.detail)


LOOPS = "{% for a in b %}{{ forloop.first }}{% for c in d %}{{ forloop.parentloop.index }}"


@pytest.mark.parametrize(
    "path",
    [
        "forloop", "forloop.indx", "forloop.first.size", "forloop.it", "forloop.step",
        "forloop.name", "forloop.parentloop", "forloop.parentloop.parentloop.index",
        "forloop.parentloop.index0.x", "forloop.parent.index", "forloop[0]",
    ],
)  # fmt: skip
def test_what_no_loop_has_is_a_flaw(path: str) -> None:
    (flaw,) = flaws(f"{LOOPS}{{% if {path} %}}{{% endif %}}{{% endfor %}}{{% endfor %}}")

    assert flaw == Flaw(
        1,
        len(LOOPS) + 7,
        f"there is no {path}: a loop has first, index, index0, last, length, rindex, rindex0;"
        " one in another a parentloop",
        "undefined",
    )


def test_a_name_of_ones_own_may_be_that_of_the_loop() -> None:
    assert fill("{% assign forloop = a %}{{ forloop.b }}", a={"b": 1}) == "1"
    assert fill("{{ forloop.b }}", forloop={"b": 1}) == "1"
    assert fill("{% for forloop in a %}{{ forloop.b }}{% endfor %}", a=[{"b": 1}]) == "1"


def test_nothing_may_be_replaced_and_compared_with() -> None:
    body = (
        "{{ nil | default: 'a' }}{% assign b = nil %}{% if b == nil and c == empty %}d{% endif %}"
    )

    assert fill(body, c="") == "ad"


def test_all_flaws_are_told_at_once_in_their_order() -> None:
    body = """\
{{ a | nope }} `{{ b }}`
{% if c d %}{{ now }}{% if e %}{% endif %}{% endif %}
{% tablerow f in g %}{{ h | }}{% endtablerow %}
{% for i in j %}
"""
    assert [(flaw.line, flaw.rule) for flaw in flaws(body)] == [
        (1, "filter"),
        (1, "code"),
        (2, "syntax"),
        (3, "tag"),
        (3, "syntax"),
        (4, "syntax"),
    ]


def test_the_clock_is_refused_from_data_too() -> None:
    assert unfillable("{{ x | date: '%F' }}", x=" Now") == Flaw(
        1, 8, "date: 'Now' would be another date every day", "clock"
    )


def test_a_name_of_ones_own_may_be_that_of_the_clock() -> None:
    assert fill("{% assign today = x %}{{ today | date: '%F' }}", x="2026-05-13") == "2026-05-13"


def test_a_name_that_may_not_have_been_given_is_the_clock() -> None:
    (flaw,) = flaws("{% if x %}{% assign today = x %}{% endif %}{{ today }}")

    assert (flaw.line, flaw.column, flaw.rule) == (1, 47, "clock")


def test_a_block_that_nests_too_deep_is_one_flaw() -> None:
    body = "{% if a %}" * 40 + "{{ b }}" + "{% endif %}" * 40

    assert flaws(body) == [Flaw(1, 201, "blocks nest at most 20 deep", "limit")]


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        ("{% if a %}{{ b {% endif %}", Flaw(1, 11, "{{ is never closed by }}", "syntax")),
        ("{% if a %}" + "{{ b }}" * 9400, Flaw(1, 65531, "placeholders and tags", "limit")),
    ],
)
def test_what_could_not_be_read_is_not_told_to_be_missing(body: str, flaw: Flaw) -> None:
    (found,) = flaws(body)

    assert (found.line, found.column, found.rule) == (flaw.line, flaw.column, flaw.rule)
    assert found.detail.startswith(flaw.detail)
