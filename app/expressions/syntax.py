"""The syntax of CEL: from a text to a tree.

The engine has a parser, but keeps its tree to itself; what an expression will cost, which path of
the data is missing, and where its conditions part is told from this one. It takes what JSON has
values for: no bytes, no unsigned integers, no optionals and no messages. What it takes, the engine
is asked to take too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import cel

from app.errors import FactoryError
from app.expressions.tree import (
    Call,
    Has,
    Index,
    Literal,
    Macro,
    Name,
    Node,
    Select,
    children,
)

MOST_NESTED = 24
"""How deep brackets may lie within each other: the engine recurses, and ends the process where the
stack of a thread ends."""

MOST_HEIGHT = 64
"""How high the tree may be: chains such as `a + b + c` make it higher, without brackets."""

MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "filter": (2,), "map": (2, 3)}
"""The macros over lists and maps, and how many arguments they have."""


class FlawedExpressionError(FactoryError):
    """A text that is not taken as an expression: what is wrong, and at which character from 0."""

    def __init__(self, detail: str, at: int | None = None) -> None:
        super().__init__(detail if at is None else f"{detail} (at character {at})")
        self.detail = detail
        self.at = at


def parse(text: str) -> Node:
    """The tree of an expression. Raises FlawedExpressionError."""
    root = _Parser(text).whole()
    level: list[Node] = [root]
    for _ in range(MOST_HEIGHT):
        level = [child for node in level for child in children(node)]
        if not level:
            return root
    raise FlawedExpressionError(f"is more than {MOST_HEIGHT} parts high: use fewer, or brackets")


_TOKEN = re.compile(
    r"""
      (?P<space>  (?:[ \t\r\n\f]+ | //[^\n]*)+                                      )
    | (?P<bytes>  [bB][rR]?["'] | [rR][bB]["']                                      )
    | (?P<string> [rR](?:\"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n\r]*" | '[^'\n\r]*')
                | \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
                | "(?:\\.|[^"\\\n\r])*" | '(?:\\.|[^'\\\n\r])*'                     )
    | (?P<float>  \d+\.\d+(?:[eE][+-]?\d+)? | \d+[eE][+-]?\d+ | \.\d+(?:[eE][+-]?\d+)? )
    | (?P<int>    0x[0-9a-fA-F]+ | \d+                                              )
    | (?P<name>   [A-Za-z_][A-Za-z0-9_]*                                            )
    | (?P<symbol> && | \|\| | [=!<>]= | [-+*/%<>!?:.,()\[\]{}]                      )
    """,
    re.VERBOSE | re.DOTALL,
)
_BINDING = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in"), 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/%", 5),
}
_CONSTANTS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    begin: int
    end: int


class _Parser:
    """Recursive descent, with the binding of operators told by a table."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._nested = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._next.kind != "end":
            raise self._unexpected()
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _unexpected(self) -> FlawedExpressionError:
        token = self._next
        what = f"{token.text[:20]!r} is not expected here" if token.text else "ends too early"
        return FlawedExpressionError(what, token.begin)

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _accept(self, *symbols: str) -> _Token | None:
        token = self._next
        if token.kind in ("symbol", "name") and token.text in symbols:
            return self._take()
        return None

    def _expect(self, symbol: str) -> _Token:
        if (token := self._accept(symbol)) is None:
            raise self._unexpected()
        return token

    def _expression(self) -> Node:
        self._nested += 1
        if self._nested > MOST_NESTED:
            detail = f"is nested more than {MOST_NESTED} deep"
            raise FlawedExpressionError(detail, self._next.begin)
        begin = self._next.begin
        node = self._operation(1)
        if self._accept("?"):
            then = self._operation(1)
            self._expect(":")
            otherwise = self._expression()
            node = Call(begin, self._last_end, "?:", (node, then, otherwise))
        self._nested -= 1
        return node

    def _operation(self, least: int) -> Node:
        begin = self._next.begin
        left = self._unary()
        while self._next.kind in ("symbol", "name") and _BINDING.get(self._next.text, 0) >= least:
            operator = self._take().text
            right = self._operation(_BINDING[operator] + 1)
            left = Call(begin, self._last_end, operator, (left, right))
        return left

    @property
    def _last_end(self) -> int:
        return self._tokens[self._at - 1].end

    def _unary(self) -> Node:
        signs = []
        while sign := self._accept("!", "-"):
            signs.append(sign)
        node = self._member()
        for sign in reversed(signs):
            node = Call(sign.begin, self._last_end, f"{sign.text}_", (node,))
        return node

    def _member(self) -> Node:
        begin = self._next.begin
        node = self._primary()
        while True:
            if self._accept("."):
                name = self._take()
                if name.kind != "name":
                    self._at -= 1
                    raise self._unexpected()
                if self._accept("("):
                    arguments = self._items(")")
                    node = _method(begin, self._last_end, node, name, arguments)
                else:
                    node = Select(begin, name.end, node, name.text)
            elif self._accept("["):
                key = self._expression()
                node = Index(begin, self._expect("]").end, node, key)
            else:
                return node

    def _primary(self) -> Node:
        token = self._take()
        match token.kind, token.text:
            case "string" | "int" | "float", _:
                return Literal(token.begin, token.end, _value(token))
            case "name", "true" | "false" | "null":
                return Literal(token.begin, token.end, _CONSTANTS[token.text])
            case "name", name if name not in _BINDING:
                if self._accept("("):
                    return _function(token.begin, token.text, self._items(")"), self._last_end)
                return Name(token.begin, token.end, name)
            case "symbol", "(":
                node = self._expression()
                self._expect(")")
                return node
            case "symbol", "[" | "{" as opening:
                closing = "]" if opening == "[" else "}"
                items = self._items(closing, pairs=opening == "{")
                return Call(token.begin, self._last_end, opening + closing, items)
        self._at -= 1
        raise self._unexpected()

    def _items(self, closing: str, *, pairs: bool = False) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._accept(closing):
            if items:
                self._expect(",")
                if closing != ")" and self._accept(closing):
                    break
            items.append(self._expression())
            if pairs:
                self._expect(":")
                items.append(self._expression())
        return tuple(items)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            what = "a string is not closed" if text[at] in "\"'" else f"{text[at]!r} means nothing"
            raise FlawedExpressionError(what, at)
        at = found.end()
        match found.lastgroup:
            case "bytes":
                raise FlawedExpressionError("bytes are not taken: JSON has none", found.start())
            case str(kind) if kind != "space":
                yield _Token(kind, found[0], found.start(), at)
    yield _Token("end", "", at, at)


def _value(token: _Token) -> str | float:
    try:
        value = cel.evaluate(token.text)
    except ValueError:
        raise FlawedExpressionError(f"is no {token.kind}", token.begin) from None
    if not isinstance(value, str | int | float):
        raise FlawedExpressionError(f"is no {token.kind}", token.begin)
    if isinstance(value, str) and "\0" in value:
        raise FlawedExpressionError("U+0000 can't be stored, and no data has it", token.begin)
    return value


def _function(begin: int, name: str, arguments: tuple[Node, ...], end: int) -> Node:
    if name != "has":
        return Call(begin, end, name, arguments)
    match arguments:
        case (Select() as select,):
            return Has(begin, end, select)
        case _:
            raise FlawedExpressionError("has() takes a path such as data.name", begin)


def _method(begin: int, end: int, target: Node, name: _Token, arguments: tuple[Node, ...]) -> Node:
    if name.text not in MACROS:
        return Call(begin, end, name.text, (target, *arguments), is_method=True)
    match arguments:
        case (Name(name=variable), *steps) if len(arguments) in MACROS[name.text]:
            if variable.startswith("_"):
                detail = "a variable of a macro does not begin with _"
                raise FlawedExpressionError(detail, arguments[0].begin)
            return Macro(begin, end, name.text, target, variable, tuple(steps))
        case _:
            detail = f"{name.text}() takes a variable and an expression: {name.text}(x, x > 1)"
            raise FlawedExpressionError(detail, name.begin)
