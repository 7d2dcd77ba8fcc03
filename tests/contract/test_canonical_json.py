"""The one form of JSON is RFC 8785's, whoever writes it."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from app.canonical_json import canonical_json

# What a body can hold: no halves of surrogate pairs, and no integers that a double can't hold.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
)


@given(_DOCUMENTS)
@example({"name": 'Ada\x7f\u2028\x00\x1f\b"\\/', "starts": [1, -0, True, None, {}, []]})
@example({"\U0001f600": 1, "\ufb33": 2})  # the other way round in code points
@example({"a": 1.0, "b": 1e21, "c": -0.0, "d": 5e-324})
@example([1e-4, 9.999e-5, 1e16, 9007199254740993.5, 4503599627370497.5, 0.1, -1234.5678])
def test_the_text_is_that_of_rfc_8785(document: Any) -> None:
    text = canonical_json(document)

    assert text.encode() == rfc8785.dumps(document)
    assert json.loads(text, parse_int=float) == document


@pytest.mark.parametrize("value", [2**53, [-(2**53)], {"a": float("nan")}])
def test_what_has_no_such_text_is_an_error(value: Any) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)
