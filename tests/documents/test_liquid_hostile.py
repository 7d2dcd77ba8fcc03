"""Whatever a template or its data is up to, it ends soon, in bounds, with the rule that it broke.

No test looks at a clock: that would show the machine. What would take minutes or gigabytes without
its limit is refused by that limit, and memory is looked at.
"""

import tracemalloc
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.documents.liquid import Deadline, Flaw, FlawedError, UnfillableError, parse_piece
from app.documents.liquid.filters import FILTERS

KIB = 1024
MIB = 1024 * 1024
OUT_OF_TIME = "the time for this document is up"


def double(times: int) -> str:
    """A text of 10 characters, doubled so many times."""
    return "{% assign s = '0123456789' %}" + "{% assign s = s | append: s %}" * times


def loop(body: str, turns: int = 10_000) -> str:
    return f"{{% for i in (1..{turns}) %}}{body}{{% endfor %}}"


TEXT = "0123456789" * 10_000
"""100,000 characters, as data."""

LIST = [{"k": f"{number:05}", "v": [number]} for number in range(10_001)]
"""One item more than a list has."""

UNFILLABLE = {
    "a long loop": loop("", 10_001),
    "a range without end": "{% for i in (-9007199254740991..9007199254740991) %}{% endfor %}",
    "a range from far below": "{% for i in (-1000000000..1) reversed %}{% endfor %}",
    "the end of a range": "{% for i in (1..1000000000) offset: 999999990 %}{% endfor %}",
    "a range from data": "{% for i in (1..n) reversed %}{% endfor %}",
    "nested loops": loop(loop("")),
    "loops after loops": loop("") * 11,
    "a long list": "{% for i in l %}{% endfor %}",
    "a long list, for a filter": "{{ l | sort: 'k' | size }}",
    "doubling": double(20),
    "doubling in a loop": "{% assign s = 'a' %}" + loop("{% assign s = s | append: s %}"),
    "doubling what is captured": "{% assign s = 'a' %}"
    + loop("{% capture s %}{{ s }}{{ s }}{% endcapture %}"),
    "replacing nothing": "{{ t | replace: '', t }}",
    "replacing everything": "{{ t | replace: '0', t }}",
    "replacing by more": double(12) + "{{ s | replace: '0', s }}",
    "a wide separator": "{{ t | split: '' | join: t }}",
    "a separator of what is split": "{% assign p = t | truncate: 9000, '' | split: '' %}"
    "{{ p | join: t }}",
    "many parts": "{{ t | split: '' }}",
    "many words": "{{ w | split: ' ' }}",
    "an end that is long": double(16) + "{{ s | append: ' b' | truncatewords: 1, s }}",
    "an address": double(16) + "{{ s | url_encode }}",
    "much output": loop("{{ t }}"),
    "much in a capture": "{% capture s %}" + loop("{{ t }}") + "{% endcapture %}",
    "much of nothing": "{% assign s = t | append: '' %}" * 100,
    "many texts": "".join(f"{{% assign s{i} = t | upcase %}}" for i in range(100)),
    "many lists": "{% assign p = t | truncate: 10000, '' %}"
    + "".join(f"{{% assign l{i} = p | split: '' %}}" for i in range(100)),
    "many captures": "".join(
        f"{{% capture s{i} %}}{{{{ t }}}}{{% endcapture %}}" for i in range(99)
    ),
    "powers": "{% assign s = 10 %}" + loop("{% assign s = s | times: s %}", 100),
    "a sum": "{{ 9007199254740991 | plus: 1 }}",
    "many digits": "{{ 1 | round: 1000000000 }}",
    "many digits, written": "{{ 1 | number: 1000000000 }}",
    "much Markdown with code": "{{ m | markdown }}",
    "long separators": "{{ 9007199254740991 | number: 2, t }}",
    "a long point": "{{ 1 | number: 2, ',', t }}",
    "a wide date": "{{ '2026-05-13' | date: t }}",
}


@pytest.mark.parametrize("case", UNFILLABLE)
def test_what_would_not_end_is_refused_while_it_is_filled(case: str) -> None:
    piece = parse_piece(UNFILLABLE[case])
    data = {"t": TEXT, "w": "a " * 20_000, "n": 10**9, "l": LIST, "m": "- " * 40_000 + "```"}

    tracemalloc.start()
    try:
        with pytest.raises(UnfillableError) as caught:
            piece.fill(data, Deadline(seconds=60))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert caught.value.flaw.rule == "limit"
    assert caught.value.flaw.detail != OUT_OF_TIME
    assert peak < 64 * MIB


@pytest.mark.parametrize(
    "expression",
    [
        "t | append: 'a'",
        "t | prepend: 'a'",
        "t | replace: '', 'a'",
        "t | replace_first: 'b', 'bc'",
        "w | truncatewords: 1, t",
        "l | join: t",
        "u | url_encode",
    ],
)
def test_a_text_is_refused_before_it_grows_too_long(expression: str) -> None:
    full = "b" * MIB
    data = {"t": full, "w": "a b", "l": ["a", "b"], "u": full[: MIB // 3 + 1]}

    with pytest.raises(UnfillableError) as caught:
        parse_piece(f"{{% assign x = {expression} %}}").fill(data, Deadline(60))

    name = expression.split()[2].rstrip(":")
    detail = f"{name}: makes a text of more than 1,048,576 characters"
    assert (caught.value.flaw.detail, caught.value.flaw.rule) == (detail, "limit")


FLAWED = {
    "a long piece": ("a" * 128 * KIB + "{{ b }}", "limit"),
    "a long placeholder": ("{{ a" + " " * 500 + "}}", "limit"),
    "a long tag": ("{% if a == '" + "b" * 500 + "' %}{% endif %}", "limit"),
    "much markup": ("{{ a }}" * 10_000, "limit"),
    "blocks in blocks": ("{% if a %}" * 21 + "{% endif %}" * 21, "limit"),
    "thousands of blocks": ("{% if a %}" * 6_000, "limit"),
    "loops in loops": ("{% for a in b %}" * 40 + "{% endfor %}" * 40, "limit"),
    "a chain of conditions": ("{% if " + "a and " * 80 + "a %}{% endif %}", "limit"),
    "paths in paths": ("{{ " + "a[" * 200 + "a" + "]" * 200 + " }}", "limit"),
    "ranges in ranges": (
        "{% for i in " + "(" * 90 + "1" + "..2)" * 90 + " %}{% endfor %}",
        "syntax",
    ),
    "blanks in a tag": ("{% if x %}{% else" + " " * 60_000 + "%}{% endif %}", "limit"),
    "blanks in a placeholder": ("{{" + " " * 60_000 + "}}", "syntax"),
    "a name without end": ("{% " + "a" * 120_000, "syntax"),
    "placeholders without end": ("{{ " * 40_000, "syntax"),
    "raw without end": ("{% raw %}" * 7_000, "syntax"),
    "comments without end": ("{% comment %}" * 5_000, "syntax"),
    "parentheses": ("{% if " + "(" * 480 + " %}{% endif %}", "syntax"),
    "parentheses, often": (("{% if " + "(" * 480 + " %}{% endif %}") * 100, "syntax"),
    "brackets": ("{{ a" + "['" * 240 + " }}", "syntax"),
    "including": ("{% include 'a' %}", "tag"),
    "rendering": ("{% render 'a' %}", "tag"),
    "inheriting": ("{% extends 'a' %}", "tag"),
    "a macro": ("{% macro a %}{% endmacro %}", "tag"),
    "tags in a tag": ("{% liquid\nassign a = 1\necho a %}", "tag"),
    "HTML": ("{{ a | safe }}", "filter"),
    "a range to search in": ("{% if (1..1000000000) contains 'a' %}{% endif %}", "syntax"),
    "a range with a name": ("{% assign a = (1..1000000000) %}", "syntax"),
    "a range for a filter": ("{{ (1..1000000000) | join }}", "syntax"),
    "a large number": ("{{ 9007199254740992 }}", "limit"),
    "a number for a loop": ("{% for i in (1.." + "9" * 400 + ".0) %}{% endfor %}", "limit"),
    "an infinite number": ("{% if a < " + "9" * 400 + ".0 %}{% endif %}", "limit"),
    "a width": ("{{ a | date: '%1000000000d' }}", "filter"),
}


@pytest.mark.parametrize("case", FLAWED)
def test_what_is_no_template_is_refused_when_it_is_read(case: str) -> None:
    body, rule = FLAWED[case]

    with pytest.raises(FlawedError) as caught:
        parse_piece(body)

    assert rule in {flaw.rule for flaw in caught.value.flaws}


HARMLESS = {
    "blanks between": "a" + " " * 100_000 + "b {{ x }}",
    "braces": "{ " * 40_000 + "{{ x }}",
    "backticks": "".join("`" * length + " " for length in range(1, 400)) + "{{ x }}",
    "quotes in quotes": "> " * 40_000 + "\n\n{{ x }} `a`",
    "brackets": "[" * 100_000 + "{{ x }} `a`",
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_only_long_is_filled(case: str) -> None:
    body = HARMLESS[case]

    assert parse_piece(body).fill({"x": 1}, Deadline(60)) == body.replace("{{ x }}", "1")


@pytest.mark.parametrize(
    "text", [" " * MIB, "a" + " " * MIB + "b", "&" * MIB, "_" * MIB, "#" * MIB]
)
def test_a_long_text_is_escaped_in_time_that_is_linear_in_it(text: str) -> None:
    """What is quadratic in it takes hours, and is ended by the suite's own watch."""
    with pytest.raises(UnfillableError) as caught:
        parse_piece("{{ x }}{{ x }}").fill({"x": text}, Deadline(60))

    assert caught.value.flaw.rule == "limit"


NAMES = ["a", "a.k", "l", "l[0]", "l.first.k", "t", "n", "z", "missing", "l[n]", "a[t]", "i"]
LITERALS = ["'a'", "''", "'k'", "'2026-05-13'", "'%F'", "0", "-1", "2.5", "true", "nil", "16"]
VALUES = st.sampled_from([*NAMES, *LITERALS])
FILTERED = st.builds(
    lambda value, filters: "".join([value, *filters]),
    VALUES,
    st.lists(
        st.builds(
            lambda name, values: f" | {name}: {', '.join(values)}" if values else f" | {name}",
            st.sampled_from(sorted(FILTERS)),
            st.lists(VALUES, max_size=2),
        ),
        max_size=2,
    ),
)
NODES = st.one_of(
    st.builds("{{{{ {} }}}}".format, FILTERED),
    st.builds("{{% assign {} = {} %}}".format, st.sampled_from("altn"), FILTERED),
    st.builds(
        "{{% if {} {} {} %}}".format, VALUES, st.sampled_from(["==", "<", "contains", "or"]), VALUES
    ),
    st.builds("{{% for i in {} limit: {} %}}".format, VALUES, VALUES),
    st.builds("{{% case {} %}}{{% when {} %}}".format, VALUES, VALUES),
    st.builds("{{% cycle {}, {} %}}".format, VALUES, VALUES),
    st.sampled_from(["{% else %}", "{% endif %}", "{% endfor %}", "{% endcase %}", "{% break %}"]),
    st.text("{%}-`'|. a", max_size=5),
)


def outcome(body: str) -> str | Flaw:
    """The filled text, or what is wrong first."""
    data = {"a": {"k": "*"}, "l": [{"k": 1}, {"k": None}, {}], "t": "k", "n": 1, "z": None}
    try:
        return parse_piece(body).fill(data, Deadline(60))
    except FlawedError as error:
        return error.flaws[0]
    except UnfillableError as error:
        return error.flaw


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NODES, max_size=8).map("".join))
def test_whatever_is_written_ends_in_a_text_or_in_a_flaw(body: str) -> None:
    found = outcome(body)

    assert found == outcome(body)
    assert isinstance(found, str) or 1 <= found.column <= len(body)


# ---------------------------------------------------------------------------------- time


def ticks(seconds: float) -> Deadline:
    """A deadline after which so many looks find that time is left: a second passes with each."""
    clock = count()
    return Deadline(seconds, clock=lambda: next(clock))


LOOKS = {
    "a variable": ("{{ x }}", 1),
    "a condition": ("{% if x == 1 and x %}{% endif %}", 2),
    "a filter": ("{{ 1 | plus: 1 }}", 1),
    "an empty loop": ("{% for i in (1..5) %}{% endfor %}", 5),
    "a loop without variables": ("{% for i in (1..5) %}{% if true %}a{% endif %}{% endfor %}", 5),
}


@pytest.mark.parametrize("case", LOOKS)
def test_time_is_looked_at_wherever_it_is_spent(case: str) -> None:
    body, looks = LOOKS[case]
    piece = parse_piece(body)

    piece.fill({"x": 1}, ticks(looks + 1))
    with pytest.raises(UnfillableError) as caught:
        piece.fill({"x": 1}, ticks(looks))

    assert caught.value.flaw.detail == OUT_OF_TIME
    assert caught.value.flaw.rule == "limit"


def test_the_pieces_of_a_document_share_its_time() -> None:
    piece = parse_piece("{{ x }}")
    until = ticks(3)

    assert [piece.fill({"x": 1}, until) for _ in range(2)] == ["1", "1"]
    with pytest.raises(UnfillableError):
        piece.fill({"x": 1}, until)


def test_a_refusal_costs_the_next_nothing() -> None:
    piece = parse_piece("{% for i in (1..n) %}{{ i }}{% endfor %}")
    with pytest.raises(UnfillableError):
        piece.fill({"n": 10_001}, Deadline())

    data: dict[str, Any] = {"n": 3}

    assert piece.fill(data, Deadline()) == "123"
    assert data == {"n": 3}
