"""Filters that take and make text. What makes it longer is refused before it does."""

from collections.abc import Callable
from urllib.parse import quote_plus

from app.documents.fences import closed, is_fenced
from app.documents.liquid.dates import format_date
from app.documents.liquid.escaping import Markdown, code_span, showable
from app.documents.liquid.flaws import RefusedError
from app.documents.liquid.limits import MAX_FENCED, MAX_ITEMS
from app.documents.liquid.values import as_count, as_text, inserted, refuse_longer


def append(value: object, other: object) -> str:
    """Both, one after the other. Captured text stays Markdown, and makes the other Markdown too."""
    if isinstance(value, Markdown) or isinstance(other, Markdown):
        return Markdown(_joined(inserted(value), inserted(other)))
    return _joined(as_text(value), as_text(other))


def prepend(value: object, other: object) -> str:
    """Both, the other first."""
    return append(other, value)


def capitalize(value: object) -> str:
    """The first letter large, the others small."""
    return as_text(value).capitalize()


def downcase(value: object) -> str:
    """All letters small."""
    return as_text(value).lower()


def upcase(value: object) -> str:
    """All letters large."""
    return as_text(value).upper()


def strip(value: object) -> str:
    """Without white space at its ends. Captured text stays Markdown."""
    return Markdown(value.strip()) if isinstance(value, Markdown) else as_text(value).strip()


def lstrip(value: object) -> str:
    """Without white space at its beginning. Captured text stays Markdown."""
    return Markdown(value.lstrip()) if isinstance(value, Markdown) else as_text(value).lstrip()


def rstrip(value: object) -> str:
    """Without white space at its end. Captured text stays Markdown."""
    return Markdown(value.rstrip()) if isinstance(value, Markdown) else as_text(value).rstrip()


def squish(value: object) -> str:
    """All white space as single spaces, none at the ends."""
    return " ".join(as_text(value).split())


def replace(value: object, old: object, new: object = "") -> str:
    """With `new` for every `old`."""
    return _replaced(as_text(value), as_text(old), as_text(new), -1)


def replace_first(value: object, old: object, new: object = "") -> str:
    """With `new` for the first `old`."""
    return _replaced(as_text(value), as_text(old), as_text(new), 1)


def remove(value: object, old: object) -> str:
    """Without any `old`."""
    return as_text(value).replace(as_text(old), "")


def remove_first(value: object, old: object) -> str:
    """Without the first `old`."""
    return as_text(value).replace(as_text(old), "", 1)


def truncate(value: object, length: object = 50, end: object = "...") -> str:
    """At most so many characters, the end included that says that there was more."""
    text, most, mark = as_text(value), as_count(length), as_text(end)
    return text if len(text) <= most else text[: max(most - len(mark), 0)] + mark


def truncatewords(value: object, count: object = 15, end: object = "...") -> str:
    """At most so many words, and then the end that says that there were more."""
    words, most = as_text(value).split(), as_count(count)
    return " ".join(words) if len(words) <= most else _joined(" ".join(words[:most]), as_text(end))


def split(value: object, separator: object) -> list[str]:
    """The parts between separators: words where it is a space, characters where it is empty."""
    text, between = as_text(value), as_text(separator)
    if not between:
        parts = list(text[: MAX_ITEMS + 1])
    else:
        parts = text.split(None if between == " " else between, MAX_ITEMS) if text else []
    if len(parts) > MAX_ITEMS:
        raise RefusedError("limit", f"makes lists of at most {MAX_ITEMS:,} items")
    return parts


def url_encode(value: object) -> str:
    """As a part of a link's address."""
    text = as_text(value)
    refuse_longer(3 * len(text.encode(errors="replace")))
    return quote_plus(text, errors="replace")


def date(value: object, pattern: object) -> str:
    """A date in the form of the pattern: see `app.documents.liquid.dates`."""
    return format_date(as_text(value), as_text(pattern))


def markdown(value: object) -> Markdown:
    """The text as the Markdown that it is. A code block that it leaves open is closed."""
    if isinstance(value, Markdown):
        return value
    text = showable(as_text(value))
    if len(text) > MAX_FENCED and is_fenced(text):
        raise RefusedError("limit", f"takes at most {MAX_FENCED:,} characters with a code block")
    return Markdown(closed(text))


def code(value: object) -> Markdown:
    """The text as code within a line."""
    return code_span(as_text(value))


def _joined(first: str, second: str) -> str:
    refuse_longer(len(first) + len(second))
    return first + second


def _replaced(text: str, old: str, new: str, most: int) -> str:
    count = text.count(old) if most < 0 else most
    refuse_longer(len(text) + count * max(len(new) - len(old), 0))
    return text.replace(old, new, most)


TEXT_FILTERS: dict[str, Callable[..., object]] = {
    "append": append,
    "capitalize": capitalize,
    "code": code,
    "date": date,
    "downcase": downcase,
    "lstrip": lstrip,
    "markdown": markdown,
    "prepend": prepend,
    "remove": remove,
    "remove_first": remove_first,
    "replace": replace,
    "replace_first": replace_first,
    "rstrip": rstrip,
    "split": split,
    "squish": squish,
    "strip": strip,
    "truncate": truncate,
    "truncatewords": truncatewords,
    "upcase": upcase,
    "url_encode": url_encode,
}
