r"""Text as Markdown that shows exactly that text, wherever an author puts it.

A value does not know whether it will stand in a heading, a table or a link, or first on its line.
So whatever could mean something in one of these places is escaped: everywhere a few characters;
others only where they begin or end the text, because what comes before or after is not known.
Telephone numbers, e-mail addresses, prices and names stay as they are.

Line breaks, and white space at either end, become character references, which no block structure
takes notice of. Characters that no document can show become U+FFFD, as CommonMark does with U+0000.
What turns the direction of text is ended at the end of the value, and not by the author's text.

It is for CommonMark with GitHub's tables and strikethrough, without HTML
(https://spec.commonmark.org/0.31.2/, https://github.github.com/gfm/).
"""

import re

_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EMBEDDINGS, _END_OF_EMBEDDING = "\u202a\u202b\u202d\u202e", "\u202c"
_ISOLATES, _END_OF_ISOLATE = "\u2066\u2067\u2068", "\u2069"
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAK = re.compile(r"\r\n?")
_BACKTICKS = re.compile(r"`+")

_SPECIAL = re.compile(
    r"""
      (?P<white> \A\s+ | (?<!\s)\s+\Z | \n )   # a code block, a line break, an end of the block
    | (?P<each>
        [\\`*\[\]<|~]+                         # code, emphasis, links, tags, cells, strikethrough
      | (?<![^\W_])_+ | _+(?![^\W_])           # emphasis, but not inside a word
      | &(?=\#?\w{0,32}(?:;|\Z))               # a character reference
      | (?<!\S)\#                              # begins or ends a heading
      | !\Z                                    # an image, before a link
      | \A>                                    # a quote
      | \A[-+=:](?![^\W_])                     # an item, an underline, a table's head
      )
    | \A[0-9]{0,9}[.)](?=\s|\Z)                # a numbered item
    """,
    re.VERBOSE,
)
_REFERENCES = {code: f"&#{code};" for code in range(0x3001) if chr(code).isspace()}


class Markdown(str):
    """Text that is Markdown already, and is inserted as it is."""

    __slots__ = ()


def showable(text: str) -> str:
    """The text with line feeds for line breaks, U+FFFD for what no document can show, and an end
    for each direction that it turns to."""
    return _UNSHOWABLE.sub("\ufffd", _BREAK.sub("\n", text)) + _ends(text)


def escape(text: str) -> Markdown:
    """Markdown that shows the text."""
    return Markdown(_SPECIAL.sub(_escaped, showable(text)))


def code_span(text: str) -> Markdown:
    """Markdown that shows the text as code, on one line.

    A text with `|` is shown as text: in a table it would have to be escaped, elsewhere it must not.
    """
    line = showable(text).replace("\n", " ")
    if "|" in line or not line.strip():
        return escape(text)
    fence = "`" * (max(map(len, _BACKTICKS.findall(line)), default=0) + 1)
    # A space is taken away on both sides where there is one on both.
    pad = " " if line[0] == "`" or line[-1] == "`" or line[0] == line[-1] == " " else ""
    return Markdown(f"{fence}{pad}{line}{pad}{fence}")


def _ends(text: str) -> str:
    """What ends the directions that the text turns to and does not turn back from (UAX #9)."""
    ends: list[str] = []
    isolates = 0
    for turn in _DIRECTION.findall(text):
        if turn in _EMBEDDINGS:
            ends.append(_END_OF_EMBEDDING)
        elif turn in _ISOLATES:
            ends.append(_END_OF_ISOLATE)
            isolates += 1
        elif turn == _END_OF_EMBEDDING:
            # It ends none that is around an isolate.
            if ends and ends[-1] == turn:
                ends.pop()
        elif isolates:
            isolates -= 1
            while ends.pop() != turn:
                pass  # an isolate ends the embeddings in it
    return "".join(reversed(ends))


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if match["white"]:
        return found.translate(_REFERENCES)
    if not match["each"]:
        return f"{found[:-1]}\\{found[-1]}"
    escaped = "\\" + "\\".join(found)
    # A backslash at the end would escape what the author writes next, such as a cell's end.
    is_open = found[-1] == "\\" and match.end() == len(match.string)
    return f"{escaped[:-2]}&#92;" if is_open else escaped
