"""From the body of a piece to the tokens that python-liquid's parser reads, in time linear in it.

python-liquid has a lexer, whose time grows with the square of what stands in one tag: 8,000 blanks
in one take it seconds (decision 0021). This one looks at every character once, holds the limits of
size, and finds everything that is wrong with the structure. What it passes on is balanced, so that
whatever the parser complains about is an expression.
"""

import re
from dataclasses import dataclass

from liquid import Token
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG

from app.documents.liquid.flaws import Flaw, Lines, Rule
from app.documents.liquid.limits import MAX_EXPRESSION, MAX_MARKUP, MAX_NESTING, MAX_SOURCE

BLOCKS = frozenset({"capture", "case", "for", "if", "unless"})
"""Tags that have an end."""

BRANCHES = {
    "else": frozenset({"case", "for", "if", "unless"}),
    "elsif": frozenset({"if", "unless"}),
    "when": frozenset({"case"}),
}
"""Tags that part a block, and the blocks that they part."""

LEAPS = frozenset({"break", "continue"})
"""Tags that leave a turn of a loop."""

VERBATIM = frozenset({"comment", "raw"})
"""Tags whose inside is not read."""

TAGS = frozenset({"assign", "cycle", *BLOCKS, *BRANCHES, *LEAPS, *VERBATIM})
"""All tags but those that end a block."""

_OPENING = re.compile(r"\{\{|\{%")
_NAME = re.compile(r"\w*")
_ENDS = {f"end{name}": name for name in BLOCKS}
_BARE = frozenset({"else", *LEAPS, *VERBATIM, *_ENDS})


@dataclass(slots=True)
class _Block:
    """A block that is open; whether the parser knows of it, and whether it had its `else`."""

    name: str
    start: int
    passed_on: bool
    is_last_branch: bool = False


@dataclass(frozen=True, slots=True)
class _Markup:
    """A placeholder or tag: where it begins and ends, what is in it, and where that begins."""

    start: int
    end: int
    text: str
    begin: int


class Lexer:
    """Reads one body: its `tokens`, and the `flaws` of its structure."""

    def __init__(self, source: str, lines: Lines) -> None:
        self.tokens: list[Token] = []
        self.flaws: list[Flaw] = []
        self._source = source
        self._lines = lines
        self._blocks: list[_Block] = []
        self._unknown: set[str] = set()
        self._strips_next = False
        """Whether what was read last takes away the white space after it."""
        if len(source) > MAX_SOURCE:
            self._flaw(0, f"with placeholders, a piece has at most {MAX_SOURCE:,} characters")
        else:
            self._read()

    def _read(self) -> None:
        position = size = 0
        while opening := _OPENING.search(self._source, position):
            closing = "}}" if opening[0] == "{{" else "%}"
            last = self._source.find(closing, opening.end())
            if last < 0:
                detail = f"{opening[0]} is never closed by {closing}"
                self._give_up(opening.start(), detail, "syntax")
                break
            size += last + 2 - opening.start()
            if size > MAX_MARKUP:
                detail = f"placeholders and tags of a piece have at most {MAX_MARKUP:,} characters"
                self._give_up(opening.start(), detail, "limit")
                break
            markup = self._markup(position, opening, last)
            position = self._placeholder(markup) if opening[0] == "{{" else self._tag(markup)
        self._content(position, len(self._source))
        while self._blocks:
            self._end(self._blocks.pop(), is_missing=True)

    def _give_up(self, index: int, detail: str, rule: Rule) -> None:
        """Read no further. What is open is not to blame that its end was not read."""
        self._flaw(index, detail, rule)
        while self._blocks:
            self._end(self._blocks.pop(), is_missing=False)

    def _markup(self, position: int, opening: re.Match[str], last: int) -> _Markup:
        """The placeholder or tag that opens there, after the content before it is read."""
        first = opening.end()
        strips_before = self._source.startswith("-", first, last)
        self._content(position, opening.start(), strips_end=strips_before)
        first += strips_before
        self._strips_next = self._source.endswith("-", first, last)
        inside = self._source[first : last - self._strips_next]
        begin = first + len(inside) - len(inside.lstrip())
        return _Markup(opening.start(), last + 2, inside.strip(), begin)

    def _content(self, start: int, end: int, *, strips_end: bool = False) -> None:
        text = self._source[start:end]
        if self._strips_next:
            text = text.lstrip()
        if strips_end:
            text = text.rstrip()
        self._strips_next = False
        if text:
            self._token(TOKEN_CONTENT, text, start)

    def _placeholder(self, markup: _Markup) -> int:
        if not markup.text:
            self._flaw(markup.start, "there is nothing in the placeholder", "syntax")
        elif self._fits(markup):
            self._token(TOKEN_OUTPUT, self._source[markup.start : markup.end], markup.start)
            self._token(TOKEN_EXPRESSION, markup.text, markup.begin)
        return markup.end

    def _tag(self, markup: _Markup) -> int:
        """Read a tag; answer where to go on."""
        match = _NAME.match(markup.text)
        name = match[0] if match else ""
        if name in _BARE and name != markup.text:
            self._flaw(markup.start, f"{name} takes nothing", "syntax")
        if name in VERBATIM:
            return self._verbatim(name, markup)
        if name in BLOCKS:
            self._open(name, markup)
        elif name in _ENDS:
            self._close(name, markup)
        elif name in BRANCHES:
            self._branch(name, markup)
        elif name in LEAPS and not any(block.name == "for" for block in self._blocks):
            self._flaw(markup.start, f"{name} stands in no for", "syntax")
        elif name in TAGS:
            self._pass_on(name, markup)
        else:
            self._no_tag(name, markup)
        return markup.end

    def _verbatim(self, name: str, markup: _Markup) -> int:
        ends = re.compile(rf"\{{%-?\s*end{name}\s*(-?)%\}}")
        end = ends.search(self._source, markup.end)
        if end is None:
            self._flaw(markup.start, f"{name} is never closed by end{name}", "syntax")
            return len(self._source)
        if name == "raw":
            self._strips_next = False
            self._content(markup.end, end.start())
        self._strips_next = bool(end[1])
        return end.end()

    def _open(self, name: str, markup: _Markup) -> None:
        passed_on = len(self._blocks) < MAX_NESTING and self._pass_on(name, markup)
        if len(self._blocks) == MAX_NESTING:
            self._flaw(markup.start, f"blocks nest at most {MAX_NESTING} deep")
        self._blocks.append(_Block(name, markup.start, passed_on))

    def _close(self, name: str, markup: _Markup) -> None:
        if not any(block.name == _ENDS[name] for block in self._blocks):
            self._flaw(markup.start, f"{name} closes nothing", "syntax")
            return
        while (block := self._blocks.pop()).name != _ENDS[name]:
            self._end(block, is_missing=True)
        self._end(block, is_missing=False)

    def _branch(self, name: str, markup: _Markup) -> None:
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.name not in BRANCHES[name]:
            inside = " or ".join(sorted(BRANCHES[name]))
            self._flaw(markup.start, f"{name} stands directly in {inside} only", "syntax")
        elif block.is_last_branch:
            self._flaw(markup.start, f"{name} stands after else", "syntax")
        else:
            block.is_last_branch = name == "else"
            if block.passed_on:
                self._pass_on(name, markup)

    def _no_tag(self, name: str, markup: _Markup) -> None:
        opener = name.removeprefix("end")
        if opener in VERBATIM:
            self._flaw(markup.start, f"{name} closes nothing", "syntax")
        elif opener == name or opener not in self._unknown:
            self._unknown.add(name)
            known = ", ".join(sorted(TAGS))
            self._flaw(markup.start, f"there is no tag {name!r}; there are {known}", "tag")

    def _end(self, block: _Block, *, is_missing: bool) -> None:
        if is_missing:
            self._flaw(block.start, f"{block.name} is never closed by end{block.name}", "syntax")
        if block.passed_on:
            self._token(TOKEN_TAG, f"end{block.name}", block.start)

    def _pass_on(self, name: str, markup: _Markup) -> bool:
        """Whether the parser is to read the tag, which it then is given."""
        if not self._fits(markup):
            return False
        self._token(TOKEN_TAG, name, markup.begin)
        argument = "" if name in _BARE else markup.text[len(name) :].lstrip()
        if argument:
            begin = markup.begin + len(markup.text) - len(argument)
            self._token(TOKEN_EXPRESSION, argument, begin)
        return True

    def _fits(self, markup: _Markup) -> bool:
        fits = markup.end - markup.start <= MAX_EXPRESSION
        if not fits:
            detail = f"a placeholder or tag has at most {MAX_EXPRESSION} characters"
            self._flaw(markup.start, detail)
        return fits

    def _token(self, kind: str, value: str, start: int) -> None:
        self.tokens.append(Token(kind, value, start, self._source))

    def _flaw(self, index: int, detail: str, rule: Rule = "limit") -> None:
        self.flaws.append(self._lines.flaw(index, detail, rule))
