"""What comes of an expression is what the engine makes of it and the whole document.

The factory's own parser tells references, conditions and costs; that it reads an expression as the
engine does is shown here: where it did not, the value would be another one.
"""

from typing import Any

import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from app.expressions import FlawedExpressionError, Prepared, compile_expression

Texts = st.SearchStrategy[str]

_NUMBERS: Texts = st.deferred(
    lambda: st.one_of(
        st.sampled_from(
            ["1", "2", "3", "0x4", "2.5", "data.n", "data.b.c", "data['d']", "(data.b).c"]
        ),
        st.sampled_from(["size(data.l)", "data.l[0]", "data.l.size()", "size('data.n')"]),
        _joined(_NUMBERS, ["+", "-", "*", "%"], _NUMBERS),
        _NUMBERS.map("-({})".format),
        st.tuples(_TRUTHS, _NUMBERS, _NUMBERS).map("{0[0]} ? {0[1]} : {0[2]}".format),
    )
)
_TRUTHS: Texts = st.deferred(
    lambda: st.one_of(
        st.sampled_from(
            ["true", "false", "has(data.d)", "has(data.b.c)", "data.t.startsWith('a')"]
        ),
        _joined(_NUMBERS, ["<", "<=", ">", ">=", "==", "!="], _NUMBERS),
        _joined(_TRUTHS, ["&&", "||", "=="], _TRUTHS),
        _TRUTHS.map("!({})".format),
        _NUMBERS.map("{} in data.l".format),
        st.tuples(_RANGES, st.sampled_from(["all", "exists", "exists_one"]), _WITHIN).map(
            "{0[0]}.{0[1]}(x, {0[2]})".format
        ),
    )
)
_WITHIN: Texts = st.one_of(
    _TRUTHS,
    _NUMBERS.map("x > {}".format),
    _NUMBERS.map("has(x.n) && x.n == {}".format),
    st.just("data.l.exists(y, y == x) || x == data.n"),
)
_RANGES: Texts = st.sampled_from(["data.l", "data.r", "[1, 2]", "(data.l + [3])"])
_LISTS = st.tuples(
    st.sampled_from(["data.l", "data.r", "[data.n, 7]"]),
    st.sampled_from(["map", "filter"]),
    _WITHIN,
).map("{0[0]}.{0[1]}(x, {0[2]})".format)
_EXPRESSIONS = st.one_of(
    _NUMBERS,
    _TRUTHS,
    _LISTS,
    st.tuples(_NUMBERS, _TRUTHS).map("[{0[0]}, {{'data.n': {0[1]}, \"k\": data.m}}, data]".format),
)


def _joined(left: Texts, operators: list[str], right: Texts) -> Texts:
    parts = st.tuples(left, st.sampled_from(operators), right).map(" ".join)
    return parts | parts.map("({})".format)


_SCALARS = st.sampled_from([0, 1, 2, 2.5])
_DOCUMENTS = st.fixed_dictionaries(
    {
        "n": _SCALARS,
        "l": st.lists(_SCALARS, min_size=1, max_size=3),
        "r": st.lists(st.just({"n": 1}) | st.just({"n": 3}) | st.just({}), max_size=2),
        "m": st.dictionaries(st.sampled_from("ab"), _SCALARS),
        "t": st.sampled_from(["", "a"]),
        "b": st.fixed_dictionaries({}, optional={"c": _SCALARS}),
    },
    optional={"d": _SCALARS},
)


def _plainly(text: str, variables: dict[str, Any]) -> Any:
    """What the engine makes of an expression and the whole document; an error is a type."""
    try:
        return cel.compile(text).execute(variables)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return Exception


@settings(deadline=None)
@given(_EXPRESSIONS, _DOCUMENTS)
def test_the_value_is_the_engines(text: str, data: dict[str, Any]) -> None:
    try:
        expression = compile_expression(text, wants="json")
    except FlawedExpressionError:
        return
    variables = {"event": {"t": "a"}, "data": data}
    verdict = expression.evaluate(Prepared(variables))

    expected = _plainly(text, variables)
    assert (verdict.value if verdict.failure is None else Exception) == expected


@settings(deadline=None)
@given(st.lists(_TRUTHS, min_size=1, max_size=4), _DOCUMENTS)
def test_conditions_agree_with_the_whole(texts: list[str], data: dict[str, Any]) -> None:
    try:
        whole = compile_expression(" && ".join(f"({text})" for text in texts), wants="bool")
    except FlawedExpressionError:
        return
    prepared = Prepared({"event": {"t": "a"}, "data": data})
    values = [condition.evaluate(prepared).value for condition in whole.conditions]

    expected = False if False in values else None if None in values else True
    assert whole.evaluate(prepared).value is expected
    assert len(values) >= len(texts)
