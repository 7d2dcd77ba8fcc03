"""A CloudEvent 1.0 as the factory takes it (specification and JSON event format, 1.0.2).

An event reads the same in whichever mode it came. So an extension is kept as its text (the
specification's canonical string), since headers have no types; and `null` is what was left out.

Two things are narrower than the specification: `data` is JSON, since it fills templates, and texts
have a greatest length. Names of extensions may be longer than the twenty characters it advises.
"""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    EventType,
    WireModel,
)

MOST_MEMBERS = 100
"""Attributes of one event, data among them."""

MAX_INTEGER = 2**31 - 1
"""The largest integer that the specification knows."""

_NAME = "^[a-z0-9]{1,64}$"
_JSON_TYPE = re.compile(r"[^\s/;]+/([^\s/;]+\+)?json\s*(;.*)?", re.IGNORECASE)
_UNIT = r"[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}"
_URI_REFERENCE = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*:|(?![^/?#:]*:))"
    rf"(//((?:{_UNIT}|:)*@)?(\[[0-9A-Fa-f:.]+\]|(?:{_UNIT})*)(:[0-9]*)?(?=[/?#]|$)|(?!//))"
    rf"(?:{_UNIT}|[:@/])*(\?(?:{_UNIT}|[:@/?])*)?(#(?:{_UNIT}|[:@/?])*)?"
)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,9}")


def is_json_type(content_type: str) -> bool:
    """Whether a content type declares JSON: `*/json` or `*/*+json` (JSON event format, 3.1.1)."""
    return _JSON_TYPE.fullmatch(content_type) is not None


def _declares_json(content_type: str) -> str:
    if not is_json_type(content_type):
        raise ValueError("should be application/json, or end with +json: data fills templates")
    return content_type


def _is_uri_reference(text: str) -> str:
    if not _URI_REFERENCE.fullmatch(text):
        raise ValueError("should be a URI reference (RFC 3986), with all else percent-encoded")
    return text


def _is_time(text: str) -> str:
    if _TIME.fullmatch(text):
        with suppress(ValueError):
            date.fromisoformat(text[:10])
            return text
    raise ValueError("should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z")


def _canonical(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case int() if -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
            return str(value)
        case str():
            return value
    raise ValueError("should be a text, a boolean or an integer of 32 bits")


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


_Text = Annotated[str, StringConstraints(min_length=1, pattern=NO_CONTROL_CHARACTERS)]
_ExtensionName = Annotated[str, StringConstraints(pattern=_NAME)]
_Extension = Annotated[
    str,
    StringConstraints(max_length=8192, pattern=NO_CONTROL_CHARACTERS),
    BeforeValidator(_canonical, json_schema_input_type=str | bool | int),
]
IsUriReference = (
    AfterValidator(_is_uri_reference),
    Field(json_schema_extra={"format": "uri-reference"}),
)
UriReference = Annotated[str, StringConstraints(min_length=1, max_length=1000), *IsUriReference]

CLOUD_EVENT_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "hire-4711",
    "source": "/hr/eu",
    "type": "employee.hired",
    "time": "2026-03-02T09:00:00Z",
    "data": {"name": "Ada Lovelace", "starts": "2026-03-02"},
}


class CloudEvent(WireModel):
    """An event: its attributes, its extensions beside them, and its data."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": CLOUD_EVENT_EXAMPLE,
            "propertyNames": {"pattern": f"{_NAME}|^data_base64$"},
        },
    )
    __pydantic_extra__: dict[_ExtensionName, _Extension]

    specversion: Literal["1.0"]
    id: Annotated[_Text, Field(max_length=250)] = Field(
        description="Tells the events of a source apart. Sent again, it is the same event."
    )
    source: UriReference = Field(description="Where it happened: a URI, or a path.")
    type: EventType
    subject: Annotated[_Text, Field(max_length=1000)] | None = None
    time: Annotated[str, AfterValidator(_is_time)] | None = Field(
        None,
        description="RFC 3339. Kept as it was sent.",
        json_schema_extra={"format": "date-time"},
    )
    datacontenttype: (
        Annotated[_Text, Field(max_length=200), AfterValidator(_declares_json)] | None
    ) = Field(None, description="JSON, as when it is left out.")
    dataschema: UriReference | None = None
    factorydepth: Annotated[int, Field(ge=0, le=MAX_INTEGER), BeforeValidator(_number)] = Field(
        0,
        description="Of an event that a factory sent: how many compositions led to it, one causing"
        " the next.",
    )
    data: Any = Field(None, description="Any JSON. `null` says as little as leaving it out.")

    @model_validator(mode="before")
    @classmethod
    def _without_unset(cls, members: Any) -> Any:
        """Null is unset (JSON event format, 2.2)."""
        if not isinstance(members, dict):
            return members
        members = {name: value for name, value in members.items() if value is not None}
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"should have at most {MOST_MEMBERS} members")
        return members

    @property
    def extensions(self) -> dict[str, str]:
        """The attributes that the specification does not define, but for `factorydepth`."""
        return self.__pydantic_extra__
