"""JSON pointers (RFC 6901) into what somebody sent."""

from collections.abc import Iterable

_LONGEST_TOKEN = 100


def pointer(tokens: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901).

    Long names are cut, and halves of surrogate pairs replaced: the pointer names something in what
    a client sent, and the answer must be sound whatever that was.
    """
    return "".join(f"/{_escape(str(token))}" for token in tokens)


def sound_text(text: str) -> str:
    """The text with halves of surrogate pairs replaced, so that it can be sent at all."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _escape(token: str) -> str:
    sound = sound_text(token)
    if len(sound) > _LONGEST_TOKEN:
        sound = sound[:_LONGEST_TOKEN] + "…"
    return sound.replace("~", "~0").replace("/", "~1")
