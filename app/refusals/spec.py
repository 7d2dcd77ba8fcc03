"""What one refusal of the catalogue consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any


class Kind(StrEnum):
    """What a refusal asks of the client. The command line's exit codes follow it."""

    CALLER = "caller"
    INPUT = "input"
    MISSING = "missing"
    GATE = "gate"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Member:
    """A member that a problem carries beside the common ones, in RFC 9457's words an extension.

    `type` is a type as Pydantic reads it; `example` is one value of it, in JSON. `special` are
    those of special cases, such as a bulk: examples of whole documents leave them out.
    """

    name: str
    type: Any
    meaning: str
    example: Any
    required: bool = True
    special: bool = False


@dataclass(frozen=True, slots=True)
class RefusalSpec:
    """One refusal: a stable code, one meaning, one HTTP status, one remedy (2-design §6).

    `other_statuses` are the few exceptions that the HTTP surface names, with the reason for each.
    `asked` is the path that examples were refused at.
    """

    code: str
    kind: Kind
    status: int
    title: str
    meaning: str
    remedy: str
    members: tuple[Member, ...] = ()
    other_statuses: Mapping[int, str] = field(default_factory=dict)
    asked: str = "/instances/from-event"

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every HTTP status that this refusal is answered with, the usual one first."""
        return (self.status, *self.other_statuses)

    @property
    def page(self) -> str:
        """The path of the page that explains it, which is also its `type` in RFC 9457."""
        return f"/problems/{self.code}"


# RFC 9110's own, which Python has from 3.13 on.
_RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def reason_phrase(status: int) -> str:
    """HTTP's own words for a status, e.g. `Conflict`."""
    return _RENAMED.get(status) or HTTPStatus(status).phrase
