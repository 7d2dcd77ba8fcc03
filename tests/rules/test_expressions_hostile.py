"""Expressions that nobody should write, and data that is sent to make an expression slow.

None of these asserts a duration: what would take too long is refused before it is begun, and a
guard that is taken out makes its test hang, or the process grow or end.
"""

import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.expressions import FlawedExpressionError, Prepared, Verdict, compile_expression

TOO_COSTLY = Verdict(
    failure="too_costly",
    detail="the data is too large for this expression: it could take too long",
)


def evaluate(text: str, data: Any) -> Verdict:
    expression = compile_expression(text, wants="json")
    return expression.evaluate(Prepared({"event": {}, "data": data}))


def flaw_of(text: str) -> str:
    with pytest.raises(FlawedExpressionError) as caught:
        compile_expression(text, wants="json")
    return caught.value.detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("1" * 2001, "has 2001 characters, 2000 are allowed"),
        ("(" * 25 + "1" + ")" * 25, "is nested more than 24 deep"),
        ("(" * 999 + "1" + ")" * 999, "is nested more than 24 deep"),
        ("[" * 999 + "]" * 999, "is nested more than 24 deep"),
        ("{1: " * 300 + "1" + "}" * 300, "is nested more than 24 deep"),
        ("size(" * 300 + "1" + ")" * 300, "is nested more than 24 deep"),
        ("data" + "[0" * 300 + "]" * 300, "is nested more than 24 deep"),
        ("true ? 1 : " * 100 + "1", "is nested more than 24 deep"),
        ("[1]" + ".map(x, [x]" * 100 + ")" * 100, "is nested more than 24 deep"),
        ("1" + " + 1" * 400, "is more than 64 parts high: use fewer, or brackets"),
        ("true" + " && true" * 200, "is more than 64 parts high: use fewer, or brackets"),
        ("data" + ".a" * 900, "is more than 64 parts high: use fewer, or brackets"),
        ("!" * 1900 + "true", "is more than 64 parts high: use fewer, or brackets"),
        ("-" * 1900 + "1", "is more than 64 parts high: use fewer, or brackets"),
        ("data" + ".map(x, x)" * 150, "is more than 64 parts high: use fewer, or brackets"),
        ("'" + "\\" * 1900, "a string is not closed"),
        ("'''" * 1 + "x" * 1900, "a string is not closed"),
        (
            "data.x.matches('(a+)+(?=b)')",
            "a group of this kind is not taken: there is no looking around, and no flag but i, m"
            " and s",
        ),
        (
            r"data.x.matches('(.{30}){30}')",
            "the pattern is too large: it has more than 500 parts when its repetitions are written"
            " out",
        ),
        (
            " || ".join(["data.x.matches('a{500}')"] * 30),
            "could take too long, whatever the data",
        ),
    ],
    ids=lambda value: value[:30],
)
def test_a_text_that_is_too_much_is_refused(text: str, detail: str) -> None:
    assert flaw_of(text) == detail


def test_what_is_just_not_too_deep_is_evaluated_in_a_thread_with_a_small_stack() -> None:
    """The engine recurses, and where the stack ends it does not raise: the process is gone."""
    texts = [
        "(" * 23 + "1" + ")" * 23,
        "[" * 23 + "1" + "]" * 23,
        "1" + " + 1" * 63,
        "-" * 63 + "1",
        "[1].map(x, " * 23 + "x" + ")" * 23,
    ]
    verdicts: list[Verdict] = []
    size = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: verdicts.extend(evaluate(t, {}) for t in texts))
        thread.start()
    finally:
        threading.stack_size(size)
    thread.join()

    assert [verdict.failure for verdict in verdicts] == [None] * 5


NUMBERS = list(range(250_000))
SOME = list(range(5_000))
ROWS = [{"sku": f"s{number}", "of": list(range(8))} for number in range(1_000)]
LONG = "ab" * 250_000


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("size(data.numbers)", {"numbers": NUMBERS}),
        ("data == 1", {"numbers": NUMBERS}),
        ("data.numbers.exists(x, x < 0)", {"numbers": NUMBERS}),
        (" && ".join(f"data.n{n} != 0" for n in range(9)), {f"n{n}": SOME for n in range(9)}),
        ("size(data) + size(data.a) + size(data.a.b)", {"a": {"b": SOME}}),
        ("data.some.map(x, x)", {"some": SOME}),
        ("data.some.filter(x, true)", {"some": SOME}),
        ("data.some.map(x, [x])[0]", {"some": SOME[:500]}),
        ("data.rows.filter(row, row.sku == 's1')", {"rows": ROWS}),
        ("data.rows.map(row, row.of)", {"rows": ROWS}),
        ("data.some.exists(x, data.some.exists(y, x + y < 0))", {"some": SOME}),
        ("data.a.exists(x, data.a.exists(y, data.a.exists(z, x + y + z < 0)))", {"a": SOME[:100]}),
        ("data.some.exists(x, x in data.some)", {"some": [-1 - n for n in SOME]}),
        ("data.some.map(x, data.long)", {"some": SOME[:100], "long": LONG}),
        ("data.some.exists(x, data.long.contains('z'))", {"some": SOME, "long": LONG}),
        ("data.some.exists(x, data.long == data.long)", {"some": SOME, "long": LONG}),
        ("data.some.exists(x, 'a'.matches('[^b]{200}'))", {"some": SOME[:100]}),
        ("data.long.matches('.*a.{100}z')", {"long": LONG}),
        ("size(" + " + ".join(["data.long"] * 60) + ")", {"long": LONG}),
        ("[" + ", ".join(["data.long"] * 60) + "]", {"long": LONG}),
        ("[" + ", ".join(["data.some"] * 50) + "]", {"some": SOME}),
        ("data.some.map(x, 'a').map(x, 'b')", {"some": SOME[:500]}),
        ("[[1, 2, 3]].map(x, data.some)[0].map(x, x)", {"some": SOME}),
        ("data.rows[data.n].of.map(x, data.rows.map(y, y))", {"rows": ROWS, "n": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_that_an_expression_would_be_slow_on_is_not_looked_at(text: str, data: Any) -> None:
    assert evaluate(text, data) == TOO_COSTLY


@pytest.mark.parametrize(
    ("text", "data", "value"),
    [
        ("data.type == 'a'", {"type": "a", "numbers": NUMBERS}, True),
        ("data.numbers[3] == 3 && has(data.numbers)", {"numbers": NUMBERS}, True),
        ("data.long.startsWith('ab') && data.long != 'a'", {"long": LONG}, True),
        ("data.long.contains('z') || data.long.endsWith('ab')", {"long": LONG}, True),
        ("data.long.matches('^[a-c]+$')", {"long": LONG}, True),
        ("size(data.long + data.long)", {"long": LONG}, 1_000_000),
        ("data.some.exists(x, x == 4999)", {"some": SOME}, True),
        ("data.some.map(x, x + 1)[99]", {"some": SOME[:500]}, 100),
        ("data.rows.exists(row, row.sku == 's99')", {"rows": ROWS[:100]}, True),
        ("data.rows.map(row, row.sku)[9]", {"rows": ROWS[:200]}, "s9"),
        ("data.rows.filter(row, row.sku == 's9')[0].sku", {"rows": ROWS[:50]}, "s9"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ordinary_expressions_are_evaluated_on_large_data(text: str, data: Any, value: Any) -> None:
    assert evaluate(text, data) == Verdict(value)


def test_too_much_data_for_one_expression_is_none_for_its_neighbour() -> None:
    prepared = Prepared({"event": {}, "data": {"numbers": NUMBERS, "type": "a"}})
    verdicts = [
        compile_expression(text, wants="json").evaluate(prepared)
        for text in ("data.type", "data.numbers", "data.type == 'a'")
    ]

    assert verdicts == [Verdict("a"), TOO_COSTLY, Verdict(True)]


def test_what_is_said_of_long_data_is_cut() -> None:
    assert evaluate("data.labels[data.long]", {"labels": {}, "long": "a" * 5000}) == Verdict(
        failure="missing",
        detail="there is no data.labels." + "a" * 176 + "…",
        path="data.labels." + "a" * 188 + "…",
    )


@pytest.mark.parametrize("name", ["data", "event", "headers", "body", "_", "__class__", "x" * 500])
def test_names_of_members_are_only_names(name: str) -> None:
    assert evaluate(f"data[{json.dumps(name)}]", {name: 1}) == Verdict(1)


def test_a_variable_of_a_macro_may_hide_a_name_and_takes_no_reference_along() -> None:
    assert evaluate("data.a.map(data, data + 1)", {"a": [1, 2]}) == Verdict([2, 3])
    assert evaluate("data.a.map(event, event.b)", {"a": [{"b": 1}]}) == Verdict([1])
    assert evaluate("'data.a' + data.a + 'data.a'", {"a": "x"}) == Verdict("data.axdata.a")
    assert evaluate("data.a // data.b\n + 'c'", {"a": "x"}) == Verdict("xc")


@settings(deadline=None)
@given(st.text(max_size=30) | st.text("adt.()[]{}'\"\\+-&|!=<>?:, 019xmp", max_size=40))
def test_whatever_is_written_is_an_expression_or_flawed(text: str) -> None:
    try:
        expression = compile_expression(text, wants="json")
    except FlawedExpressionError as error:
        at = error.at
    else:
        at = None
        expression.evaluate(Prepared({"event": {}, "data": {}}))
    assert at is None or 0 <= at <= len(text)
