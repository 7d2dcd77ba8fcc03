"""What operators write as expressions, and what they hear when there is no value."""

from typing import Any

import pytest

from app.expressions import (
    OF_WEBHOOKS,
    FlawedExpressionError,
    Prepared,
    Verdict,
    Wanted,
    compile_expression,
)

EVENT: dict[str, Any] = {
    "event": {"id": "7", "source": "/hr", "type": "org.example.hired"},
    "data": {
        "person": {"name": "Ada", "age": 36.0, "start-date": "2026-02-01", "manager": None},
        "items": [{"sku": "a", "n": 2}, {"sku": "b", "n": 3, "note": "x"}],
        "labels": {"team": "red"},
        "price": 9.5,
        "largest": 9007199254740992,
        "text": "día 7",
        "none": [],
    },
}


def evaluate(text: str, wants: Wanted = "json", variables: Any = EVENT) -> Verdict:
    return compile_expression(text, wants=wants).evaluate(Prepared(variables))


def missing(path: str, detail: str) -> Verdict:
    return Verdict(failure="missing", detail=detail, path=path)


def failed(detail: str) -> Verdict:
    return Verdict(failure="failed", detail=detail)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("event.type.startsWith('org.example.') && data.person.age >= 18", True),
        ("data.person['start-date'] == \"2026-02-01\"", True),
        ("(data.person).name + '-' + string(data.person.age)", "Ada-36"),
        ("data.items[1].sku in ['b', 'c'] ? 'x' : 'y'", "x"),
        ("data.items.map(item, item.n * 2)", [4, 6]),
        ("data.items.map(item, item.n > 2, item.sku)", ["b"]),
        ("data.items.filter(item, has(item.note))", [{"sku": "b", "n": 3, "note": "x"}]),
        ("data.items.all(item, item.n > 1)", True),
        ("data.items.exists(item, item.sku == 'b')", True),
        ("data.items.exists_one(item, item.n > 1)", False),
        ("data.items.exists(a, data.items.exists(b, a.n + 1 == b.n))", True),
        (
            "{'name': data.person.name, 'of': [1, -2.5, true, null, data.labels]}",
            {
                "name": "Ada",
                "of": [1, -2.5, True, None, {"team": "red"}],
            },
        ),
        ("data", EVENT["data"]),
        ("data.person.manager == null", True),
        ("has(data.person.name) && !has(data.person.surname)", True),
        ("has(data.person.manager)", True),
        ("size(data.items) + size('abc') + data.labels.size()", 6),
        (r"'٥'.matches(r'\d') || 'é'.matches(r'[\w]')", False),
        ("size('é')", 2),  # the engine counts bytes, CEL characters
        ("data.text.matches(r'^d\\Sa \\d$')", True),
        ("data.text.matches('^d\\\\wa')", False),
        ("data.text.contains('7') && data.text.endsWith('7')", True),
        ("timestamp(data.person['start-date'] + 'T00:00:00+01:00')", "2026-02-01T00:00:00+01:00"),
        ("timestamp('2026-02-01T00:00:00Z') - duration('24h')", "2026-01-31T00:00:00Z"),
        ("timestamp('2026-02-01T00:00:00Z').getFullYear()", 2026),
        ("duration('90m').getMinutes()", 90),
        ("double(data.person.age) * 1.5", 54.0),
        ("int('12') % 5 - 7 / 2", -1),
        ("data.price < 10 && 9 < data.price && 9.5 == data.price", True),
        ("!!(1 < 2) == !false", True),
        ("'a' < 'b' || data.nothing", True),
        ("data.nothing == 1 || true", True),
        ("data.nothing == 1 && false", False),
        ("[1, 2,] + [3] // and a comment", [1, 2, 3]),
        ("'''a'b''' + \"\"\"c\"d\"\"\" + r'\\e' + '\\u00e9'", "a'bc\"d\\eé"),
        ("0x1F + 1", 32),
        ("1e3 + .5", 1000.5),
    ],
)
def test_an_expression_has_the_value_that_cel_gives_it(text: str, value: Any) -> None:
    assert evaluate(text) == Verdict(value)


@pytest.mark.parametrize(
    ("text", "path", "detail"),
    [
        ("data.person.surname == 'x'", "data.person.surname", "data.person has no surname"),
        ("data.people.lead.name == 'x'", "data.people.lead.name", "data has no people"),
        ("data.person.manager.name", "data.person.manager.name", "data.person.manager is null"),
        ("data.text.length", "data.text.length", "data.text is no object"),
        ("data.person[0]", "data.person[0]", "data.person is no array"),
        ("data.items[2].sku", "data.items[2].sku", "data.items has 2 items"),
        ("data['a b'].c", 'data["a b"].c', 'data has no ["a b"]'),
        ("has(data.people.lead)", "data.people", "data has no people"),
        (
            "has(data.person.manager.name)",
            "data.person.manager",
            "data.person.manager is no object",
        ),
        ("has(data.x) || data.x == 1", "data.x", "data has no x"),
        ("1 + data.a", "data.a", "data has no a"),
        (
            "data.items.exists(i, i.note == 'y')",
            "data.items[].note",
            "there is no data.items[].note",
        ),
        (
            "data.items.all(i, data.items.exists(j, j['m'] == i.n))",
            "data.items[].m",
            "there is no data.items[].m",
        ),
        ("[data].map(d, d.labels.x)", "[data][].labels.x", "there is no [data][].labels.x"),
        ("data.labels[event.source]", 'data.labels["/hr"]', 'there is no data.labels["/hr"]'),
    ],
)
def test_what_is_missing_is_named(text: str, path: str, detail: str) -> None:
    assert evaluate(text) == missing(path, detail)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (
            "data.person.name > 1",
            failed("No such overload: the operation is not defined for the given operand types"),
        ),
        (
            "data.price * 2",
            failed("Unsupported operation: float * int"),
        ),
        ("data.text + 1", failed("Unsupported operation: string + int")),
        ("1 / 0", failed("division by zero in CEL expression")),
        (
            "9223372036854775807 + 1",
            failed("Arithmetic overflow in 'add' on 9223372036854775807 and 1."),
        ),
        ("size(data.price)", failed("size() does not take such a value")),
        ("string(true)", failed("string() does not take such a value")),
        ("data.price.startsWith('9')", failed("startsWith() does not take such a value")),
        (
            "int(data.text)",
            failed("Function 'int' error: string parse error: invalid digit found in string"),
        ),
        (
            "timestamp('yesterday')",
            failed("Function 'timestamp' error: premature end of input"),
        ),
        ("data.items[data.items.size()]", failed("index out of bounds: 2")),
        (
            "9007199254740993",
            failed("the value is an integer beyond ±9007199254740991, which is no JSON"),
        ),
        ("[1.0 / 0.0]", failed("the value is not a finite number, which is no JSON")),
        ("duration('1h')", failed("the value is a timedelta, which is no JSON")),
        ("{'a': {1: 2}}", failed("a name in an object is no string")),
        (
            "data.labels.map(name, name)",
            failed("macros such as exists() take arrays: the members of an object have no order"),
        ),
        *(
            (
                f"data.labels.{macro}(name, true)",
                failed(
                    "macros such as exists() take arrays: the members of an object have no order"
                ),
            )
            for macro in ("all", "exists", "exists_one", "filter")
        ),
        (
            "(true ? data.labels : []).map(name, name)",
            failed("macros such as exists() take arrays: the members of an object have no order"),
        ),
        (
            "[data.labels].map(labels, labels.filter(name, true))",
            failed("macros such as exists() take arrays: the members of an object have no order"),
        ),
    ],
)
def test_what_can_not_be_evaluated_says_why(text: str, verdict: Verdict) -> None:
    assert evaluate(text) == verdict


@pytest.mark.parametrize(
    ("text", "wants", "detail"),
    [
        ("data.person", "bool", "should be true or false, and is an object"),
        ("data.person.manager", "bool", "should be true or false, and is null"),
        ("1", "bool", "should be true or false, and is a number"),
        ("data.person.age", "string", "should be a string, and is a number"),
        ("data.items", "string", "should be a string, and is an array"),
        ("true", "string", "should be a string, and is true or false"),
        ("duration('1h')", "string", "should be a string, and is a timedelta"),
    ],
)
def test_a_value_of_another_kind_than_is_wanted_is_a_failure(
    text: str, wants: Wanted, detail: str
) -> None:
    assert evaluate(text, wants) == Verdict(failure="wrong_type", detail=detail)


@pytest.mark.parametrize(
    ("text", "detail", "at"),
    [
        ("", "ends too early", 0),
        ("data.x == ", "ends too early", 10),
        ("data.x data.y", "'data' is not expected here", 7),
        ("data.x == 'a", "a string is not closed", 10),
        ("data.x # 1", "'#' means nothing", 7),
        ("(data.x", "ends too early", 7),
        ("foo.x == 1", "there is no foo here, only event and data", 0),
        ("data.items.map(i, j.x)", "there is no j here, only event and data", 18),
        ("data.items.map(i, i.x) == i", "there is no i here, only event and data", 26),
        (
            "now()",
            "there is no function now, only double, duration, int, size, string, timestamp",
            0,
        ),
        ("size()", "size() takes one argument", 0),
        ("data.x.size(1)", "size() takes no arguments", 0),
        ("data.x.matches(data.y)", "the pattern of matches() is written out", 15),
        ("data.x.matches('(')", "is no regular expression (RE2)", 15),
        ("has(data['x'])", "has() takes a path such as data.name", 0),
        ("has(1)", "has() takes a path such as data.name", 0),
        ("data.x.all(y)", "all() takes a variable and an expression: all(x, x > 1)", 7),
        ("data.x.all(1, true)", "all() takes a variable and an expression: all(x, x > 1)", 7),
        ("data.x.all(_y, true)", "a variable of a macro does not begin with _", 11),
        ("b'abc'", "bytes are not taken: JSON has none", 0),
        ("1u", "'u' is not expected here", 1),
        ("data.?x", "'?' is not expected here", 5),
        ("data.x.Type{}", "'{' is not expected here", 11),
        (".data.x", "'.' is not expected here", 0),
        ("data.x && for", "reserved identifier: for", 10),
        ("\n  data.in == 1", "Syntax error: no viable alternative at input '.in'", 8),
        ("1e999", "is no float", 0),
        ("99999999999999999999", "is no int", 0),
        ("'\\ud800'", "is no string", 0),
        ("data.x == '\\u0000'", "U+0000 can't be stored, and no data has it", 10),
        (r"data['\000']", "U+0000 can't be stored, and no data has it", 5),
    ],
)
def test_what_is_no_expression_is_told_with_its_place(text: str, detail: str, at: int) -> None:
    with pytest.raises(FlawedExpressionError) as caught:
        compile_expression(text, wants="json")

    assert (caught.value.detail, caught.value.at) == (detail, at)
    assert str(caught.value) == f"{detail} (at character {at})"


def test_a_filter_is_told_by_its_conditions() -> None:
    expression = compile_expression(
        "event.source == '/hr' && (data.person.age > 40 || data.price > 9)"
        " && (data.x == 1 && size(data.price) == 1)",
        wants="bool",
    )
    prepared = Prepared(EVENT)

    told = [(part.text, part.evaluate(prepared)) for part in expression.conditions]
    assert told == [
        ("event.source == '/hr'", Verdict(True)),
        ("data.person.age > 40 || data.price > 9", Verdict(True)),
        ("data.x == 1", missing("data.x", "data has no x")),
        ("size(data.price) == 1", failed("size() does not take such a value")),
    ]
    assert expression.evaluate(prepared).failure is not None


def test_a_filter_of_one_condition_is_its_own() -> None:
    [condition] = compile_expression("(data.price > 9)", wants="bool").conditions

    assert (condition.text, condition.evaluate(Prepared(EVENT))) == (
        "data.price > 9",
        Verdict(True),
    )


def test_a_webhook_has_names_of_its_own() -> None:
    expression = compile_expression(
        "'github.' + headers['x-github-event']", wants="string", names=OF_WEBHOOKS
    )
    prepared = Prepared({"headers": {"x-github-event": "push"}, "body": {}})

    assert expression.evaluate(prepared) == Verdict("github.push")
    with pytest.raises(FlawedExpressionError, match="there is no data here, only headers and body"):
        compile_expression("data.x == 1", wants="bool", names=OF_WEBHOOKS)


def test_numbers_that_are_equal_as_json_are_the_same() -> None:
    # RFC 8785 writes 100.0 as 100, and 1e20 with all its digits.
    texts = ("string(data.a)", "data.a + 1", "data.b", "data.c")
    received = Prepared({"event": {}, "data": {"a": 100.0, "b": [-0.0], "c": 1e20}})
    read_again = Prepared({"event": {}, "data": {"a": 100, "b": [0], "c": 10**20}})

    for prepared in (received, read_again):
        verdicts = [compile_expression(text, wants="json").evaluate(prepared) for text in texts]
        assert verdicts == [Verdict("100"), Verdict(101), Verdict([0]), Verdict(1e20)]


def test_what_one_expression_asked_for_is_there_for_the_next() -> None:
    prepared = Prepared(EVENT)
    first = compile_expression("data.items[0].n == 2 && event.id == '7'", wants="bool")
    second = compile_expression("data.items[0].n + size(event.id)", wants="json")

    assert first.evaluate(prepared) == Verdict(True)
    given = dict(prepared.extents)
    assert second.evaluate(prepared) == Verdict(3)
    assert prepared.extents == given


def test_a_text_is_compiled_once() -> None:
    first = compile_expression("data.x == 1", wants="bool")

    assert compile_expression("data.x == 1", wants="bool") is first
    assert compile_expression("data.x == 1", wants="json") is not first
    assert first.text == "data.x == 1"
