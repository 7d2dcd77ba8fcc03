"""Filters do what they do in Liquid, and refuse what they do not take."""

import pytest

from app.documents.liquid import Flaw
from tests.support.liquid import fill, unfillable


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("-5 | abs", "5"),
        ("'a' | append: 5", "a5"),
        ("2 | at_least: 3", "3"),
        ("2 | at_most: 1.5", "1.5"),
        ("'anna B' | capitalize", "Anna b"),
        ("1.2 | ceil", "2"),
        ("'a' | code", "`a`"),
        ("n | compact | size", "1"),
        ("d | date: '%-d %B %Y'", "13 May 2026"),
        ("z | default: 'z'", "z"),
        ("false | default: 'z', allow_false: true", "false"),
        ("7 | divided_by: 2", "3"),
        ("7 | divided_by: 2.0", "3.5"),
        ("'A' | downcase", "a"),
        ("l | first", "2"),
        ("1.8 | floor", "1"),
        ("l | join: '-'", "2-1-2"),
        ("l | last", "2"),
        ("' a ' | lstrip | append: 'b'", "a b"),
        ("o | map: 'k' | join", "b a"),
        ("'*a*' | markdown", "*a*"),
        ("0.3 | minus: 0.1", "0.2"),
        ("7 | modulo: 4", "3"),
        ("1234567.5 | number", "1,234,567.5"),
        ("'1234.5' | number: 2, '.', ','", "1.234,50"),
        ("-0.4 | number: 0", "0"),
        ("0.1 | plus: 0.2", "0.3"),
        ("'a' | prepend: 'b'", "ba"),
        ("o | reject: 'v', 1 | map: 'k' | join", "a"),
        ("'abab' | remove: 'a'", "bb"),
        ("'abab' | remove_first: 'a'", "bab"),
        ("'abab' | replace: 'a', 'c'", "cbcb"),
        ("'abab' | replace_first: 'a', 'c'", "cbab"),
        ("l | reverse | join", "2 1 2"),
        ("2.5 | round", "3"),
        ("-2.345 | round: 2", "-2.35"),
        ("' a ' | rstrip | prepend: 'b'", "b a"),
        ("l | size", "3"),
        ("'abc' | slice: -2, 5", "bc"),
        ("l | slice: 1, 2 | join", "1 2"),
        ("l | sort | join", "1 2 2"),
        ("o | sort: 'k' | map: 'v' | join", "2 1"),
        ("c | sort_natural | join", "a B c"),
        ("'a,b' | split: ',' | last", "b"),
        ("'a  b' | split: ' ' | size", "2"),
        ("'ab' | split: '' | join", "a b"),
        ("' a\nb ' | squish", "a b"),
        ("' a ' | strip", "a"),
        ("l | sum", "5"),
        ("o | sum: 'v'", "3"),
        ("1.1 | times: 3", "3.3"),
        ("'abcdef' | truncate: 5", "ab..."),
        ("'a b c' | truncatewords: 2, '!'", "a b\\!"),
        ("l | uniq | join", "2 1"),
        ("o | uniq: 'w' | size", "1"),
        ("'a' | upcase", "A"),
        ("'a b/&' | url_encode", "a+b%2F%26"),
        ("o | where: 'v', 2 | map: 'k' | join", "a"),
        ("o | where: 'w' | size", "0"),
        ("o | where: 'w', 0 | size", "0"),
    ],
)
def test_a_filter_does_what_it_does_in_liquid(expression: str, text: str) -> None:
    data = {
        "l": [2, 1, 2],
        "n": [None, 1],
        "c": ["c", "a", "B"],
        "d": "2026-05-13T09:30:00+02:00",
        "o": [{"k": "b", "v": 1, "w": False}, {"k": "a", "v": 2, "w": False}],
    }

    assert fill(f"{{{{ {expression} }}}}", **data) == text


NO_DATE = "date: is no date such as 2026-05-13 or 2026-05-13T09:30:00Z"


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        ("l | upcase", "upcase: a list is no text"),
        ("'a' | plus: 1", "plus: a text is no number"),
        ("true | plus: 1", "plus: true or false is no number"),
        ("1 | divided_by: 0", "divided_by: can't divide 1 by 0"),
        ("1.5 | modulo: 0", "modulo: can't divide 1.5 by 0"),
        ("'a' | join", "join: a text is no list"),
        ("l | map: 'a'", "map: needs a list of objects to look for 'a'"),
        ("m | sort", "sort: can't put values of different kinds in order"),
        ("'abc' | truncate: -1", "truncate: -1 is below 0"),
        ("'abc' | truncate: 'a'", "truncate: a text is no whole number"),
        ("5 | size", "size: a number is no list or text"),
        ("'13 May' | date: '%Y'", NO_DATE),
        ("'2026-02-30' | date: '%Y'", NO_DATE),
        ("'2026-05-13T25:00' | date: '%Y'", NO_DATE),
        ("5 | date: '%Y'", NO_DATE),
    ],
)  # fmt: skip
def test_a_filter_refuses_what_it_does_not_take(expression: str, detail: str) -> None:
    flaw = unfillable(f"{{{{ {expression} }}}}", l=[1], m=[1, "a"])

    assert flaw == Flaw(1, expression.index("|") + 6, detail, "value")


def test_a_filter_takes_no_keyword() -> None:
    flaw = unfillable("{% assign e = empty %}{{ e | upcase }}")

    assert flaw == Flaw(1, 30, "upcase: a keyword is no text", "value")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%Y %y %m %-m %d %-d %j", "2026 26 05 5 03 3 123"),
        ("%B %b %A %a", "May May Sunday Sun"),
        ("%G-W%V", "2026-W18"),
        ("%H %-H %I %-I %M %S %p", "14 14 02 2 07 09 PM"),
        ("%F %T 100 %%", "2026-05-03 14:07:09 100 %"),
    ],
)
def test_a_date_is_shown_as_it_stands_in_the_data(pattern: str, text: str) -> None:
    for zone in ("", "Z", "+05:30"):
        assert fill("{{ d | date: f }}", d=f"2026-05-03T14:07:09{zone}", f=pattern) == text
