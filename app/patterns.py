r"""Regular expressions that operators write, in schemas and in expressions.

Both engines match in linear time, so no pattern is catastrophic; but linear is the length of the
text times the size of the pattern, and few characters make a large one: `(.{30}){30}`. The size is
therefore counted before a pattern is compiled (docs/decisions/0017).
"""

import re

MOST_WEIGHT = 500
"""How large a pattern may be: about its length with all repetitions written out.

The largest takes some 5 ms to compile, and 5 µs for each character of a text that it is slow on.
"""

_ONE_PROPERTY = 100  # \p{L} is made of hundreds of ranges
_ALL_BUT_SOME = 2  # characters of several bytes too

_TOKEN = re.compile(
    r"""
      (?P<property>   \\[pP](?:\{[^}]*\}|.)                                )
    | (?P<all_but>    \\[WDS] | \.                                         )
    | (?P<escape>     \\(?:[xuU]\{[0-9a-fA-F]+\}|.)                        )
    | (?P<class>      \[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\\[])*\]            )
    | (?P<flags>      \(\?[ims]+\)                                         )
    | (?P<open>       \((?:\?(?:[ims]*:|P?<\w+>)|(?!\?))                   )
    | (?P<close>      \)                                                   )
    | (?P<times>      \{\s*(?P<least>\d*)\s*(?P<comma>,?)\s*(?P<most>\d*)\s*\} )
    | (?P<quantifier> [*+?]                                                )
    | (?P<literal>    [^\\\[(]                                             )
    """,
    re.VERBOSE | re.DOTALL,
)
_WITHIN_CLASS = re.compile(
    r"(?P<property>\\[pP](?:\{[^}]*\}|.))|(?P<all_but>\\[WDS])|\\?.", re.DOTALL
)
_PERL_CLASS = re.compile(r"\\(?P<letter>[wWdDsSbB])|\\?.", re.DOTALL)
_OF_ASCII = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "s": r"[\t\n\f\r ]",
    "S": r"[^\t\n\f\r ]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "b": r"(?-u:\b)",
    "B": r"(?-u:\B)",
}


class FlawedPatternError(ValueError):
    """A pattern that is not taken; the text says why."""


def weight_of(pattern: str) -> int:
    """How large the pattern is, its repetitions written out.

    Raises FlawedPatternError for one that is too large, or in which that can't be told. Whether it
    is a pattern at all is for the engine to say.
    """
    groups = [0]  # the weight so far of each group that is open, the whole being the first
    last = 0  # what a repetition multiplies
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise FlawedPatternError(_why_not_read(pattern[at]))
        at = token.end()
        match token.lastgroup:
            case "open":
                groups.append(0)
            case "close":
                if len(groups) == 1:
                    raise FlawedPatternError("a parenthesis is closed that was not opened")
                last = groups.pop()
                groups[-1] += last
            case "times":
                times = _most_times(token)
                groups[-1] += last * (times - 1)
                last *= times
            case "quantifier" | "flags":
                pass
            case kind:
                last = _weight_of_token(kind, token[0])
                groups[-1] += last
        if groups[-1] > MOST_WEIGHT:
            raise FlawedPatternError(
                f"the pattern is too large: it has more than {MOST_WEIGHT} parts when its"
                " repetitions are written out"
            )
    return max(1, sum(groups))


def without_unicode_classes(pattern: str) -> str:
    r"""The pattern with `\d`, `\s`, `\w` and `\b` of ASCII only, as RE2 and therefore CEL has them.

    What the engine takes them for, those of all Unicode, costs a hundred times as much to compile.
    """
    return _PERL_CLASS.sub(
        lambda found: _OF_ASCII[found["letter"]] if found["letter"] else found[0], pattern
    )


def _most_times(token: re.Match[str]) -> int:
    """How often it repeats at most; what repeats never or without end is still there once."""
    digits = (token["most"] or token["least"]).lstrip("0")
    if len(digits) > 6:
        return MOST_WEIGHT + 1  # digits without end would take long to read
    return max(1, int(digits or 0) + (1 if token["comma"] and not token["most"] else 0))


def _weight_of_token(kind: str | None, text: str) -> int:
    match kind:
        case "property":
            return _ONE_PROPERTY
        case "all_but":
            return _ALL_BUT_SOME
        case "class":
            weight = _ALL_BUT_SOME if text.startswith("[^") else 1
            parts = [found.lastgroup for found in _WITHIN_CLASS.finditer(text)]
            weight += _ONE_PROPERTY * parts.count("property")
            return weight + _ALL_BUT_SOME * parts.count("all_but")
        case _:
            return 1


def _why_not_read(character: str) -> str:
    match character:
        case "[":
            return r"a class is not closed, or has a [ in it, which is written \["
        case "(":
            return (
                "a group of this kind is not taken: there is no looking around, and no flag but i,"
                " m and s"
            )
        case _:
            return "the pattern ends with a backslash"
